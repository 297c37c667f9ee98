// Package picture takes out of pictures what says where, when and with what they were taken, turns them upright, and makes them
// small. What it costs is known before it is begun: a picture is read as a stream unless its points are needed, and those only
// where there is room for them.
package picture

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/bep/imagemeta"
)

// Media types of pictures.
const (
	JPEG = "image/jpeg"
	PNG  = "image/png"
	GIF  = "image/gif"
	WebP = "image/webp"
)

// ErrDamaged tells that a picture is not what its beginning says.
var ErrDamaged = errors.New("the picture is damaged")

// maxSide is how wide or high a picture is at most that is looked at, in points.
const maxSide = 65_535

// format is how one kind of picture is cleaned and what its points cost.
type format struct {
	// strip copies a picture without what is not needed to show it. How it is to be turned is said in it.
	strip func(to *bufio.Writer, from *bufio.Reader, turn orientation) error
	// meta is where the orientation is found, 0 for nowhere.
	meta imagemeta.ImageFormat
}

func formatOf(media string) (format, bool) {
	switch media {
	case JPEG:
		return format{stripJPEG, imagemeta.JPEG}, true
	case PNG:
		return format{stripPNG, imagemeta.PNG}, true
	case GIF:
		return format{stripGIF, 0}, true
	case WebP:
		return format{stripWebP, imagemeta.WebP}, true
	default:
		return format{}, false
	}
}

// Known reports whether pictures of a media type can be cleaned.
func Known(media string) bool {
	_, known := formatOf(media)
	return known
}

// Cleaned is a picture that was cleaned.
type Cleaned struct {
	// Width and Height are those of the picture that stands upright, in points.
	Width, Height int
	// Thumbnail is the picture in small, nil where there is none.
	Thumbnail *Thumbnail
}

// Thumbnail is a picture in small.
type Thumbnail struct {
	MimeType      string
	Width, Height int
	Content       []byte
}

// Clean copies a picture of a known media type from one file, read from its beginning, to another, without anything that is not
// needed to show it, and upright. Where the points take more than so many bytes of memory there is no thumbnail. A picture
// that cannot be turned itself says how it is to be turned, and no more. It fails with ErrDamaged.
func Clean(from, to *os.File, media string, memory int64) (Cleaned, error) {
	of, known := formatOf(media)
	if !known {
		return Cleaned{}, fmt.Errorf("%s is no picture that can be cleaned", media)
	}
	turn := orientationIn(from, of.meta)
	size, err := measure(from, media)
	if err != nil {
		return Cleaned{}, err
	}
	cleaned := Cleaned{Width: size.width, Height: size.height}
	if turn.swaps() {
		cleaned.Width, cleaned.Height = size.height, size.width
	}
	if size.memory+small <= memory {
		points, err := decode(from, media)
		if err != nil {
			return Cleaned{}, err
		}
		if cleaned.Thumbnail, err = shrink(points, turn); err != nil {
			return Cleaned{}, err
		}
		if turn != upright && 2*size.memory <= memory && encode(to, from, points, turn, media) == nil {
			return cleaned, nil
		}
		if err := empty(to); err != nil { // it may have been begun
			return Cleaned{}, err
		}
	}
	if _, err := from.Seek(0, io.SeekStart); err != nil {
		return Cleaned{}, fmt.Errorf("read picture anew: %w", err)
	}
	out := bufio.NewWriter(to)
	if err := of.strip(out, bufio.NewReader(from), turn); err != nil {
		return Cleaned{}, err
	}
	if err := out.Flush(); err != nil {
		return Cleaned{}, fmt.Errorf("write picture: %w", err)
	}
	return cleaned, nil
}

// empty takes back what was written to a file.
func empty(file *os.File) error {
	err := file.Truncate(0)
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return fmt.Errorf("empty file: %w", err)
	}
	return nil
}

// damaged is ErrDamaged where reading a picture has failed by what is in it.
func damaged(err error) error {
	var file *fs.PathError
	if err == nil || errors.Is(err, ErrDamaged) || errors.As(err, &file) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}
