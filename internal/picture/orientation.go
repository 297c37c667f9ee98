package picture

import (
	"encoding/binary"
	"io"
	"os"
	"time"

	"github.com/bep/imagemeta"
)

// orientation is how a picture is to be turned to stand upright, as Exif numbers it: what its first row and column are.
type orientation int

const (
	upright       orientation = 1
	mirrored      orientation = 2
	upsideDown    orientation = 3
	flipped       orientation = 4
	transposed    orientation = 5
	turnedLeft    orientation = 6
	transversed   orientation = 7
	turnedRight   orientation = 8
	orientationID             = 0x0112
)

// swaps reports whether width and height change places.
func (o orientation) swaps() bool { return o >= transposed }

// at is the point of a picture of a size which comes to a place of the picture that stands upright.
func (o orientation) at(x, y, width, height int) (fromX, fromY int) {
	switch o {
	case mirrored:
		return width - 1 - x, y
	case upsideDown:
		return width - 1 - x, height - 1 - y
	case flipped:
		return x, height - 1 - y
	case transposed:
		return y, x
	case turnedLeft:
		return y, height - 1 - x
	case transversed:
		return width - 1 - y, height - 1 - x
	case turnedRight:
		return width - 1 - y, x
	default:
		return x, y
	}
}

// orientationIn looks for what a picture says of itself; upright where it says nothing that can be understood.
func orientationIn(file *os.File, of imagemeta.ImageFormat) orientation {
	if of == 0 {
		return upright
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return upright
	}
	found := upright
	const patience = 2 * time.Second
	_, err := imagemeta.Decode(imagemeta.Options{
		R: file, ImageFormat: of, Sources: imagemeta.EXIF, Timeout: patience,
		ShouldHandleTag: func(tag imagemeta.TagInfo) bool { return tag.Tag == "Orientation" && tag.Namespace == "IFD0" },
		HandleTag: func(tag imagemeta.TagInfo) error {
			if said, isNumber := tag.Value.(uint16); isNumber && said >= uint16(upright) && said <= uint16(turnedRight) {
				found = orientation(said)
			}
			return imagemeta.ErrStopWalking
		},
	})
	if err != nil {
		return upright
	}
	return found
}

// exifName begins a segment of JPEG with what follows.
const exifName = "Exif\x00\x00"

// exif is a segment of a JPEG picture that says how it lies, and nothing else (Exif 2.3, section 4.5).
func exif(of orientation) []byte {
	const entries, short, count = 1, 3, 1
	tiff := []byte(exifName + "MM\x00*")
	tiff = binary.BigEndian.AppendUint32(tiff, 8) // where the entries begin
	tiff = binary.BigEndian.AppendUint16(tiff, entries)
	tiff = binary.BigEndian.AppendUint16(tiff, orientationID)
	tiff = binary.BigEndian.AppendUint16(tiff, short)
	tiff = binary.BigEndian.AppendUint32(tiff, count)
	tiff = binary.BigEndian.AppendUint16(tiff, uint16(of))
	return append(tiff, 0, 0, 0, 0, 0, 0) // the rest of the value, and no further entries
}
