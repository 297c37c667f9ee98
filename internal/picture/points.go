package picture

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"os"

	"golang.org/x/image/draw"
	"golang.org/x/image/webp"
)

const (
	// MaxThumbnail is how wide or high a thumbnail is at most, in points.
	MaxThumbnail = 480
	// qualityTurned and qualitySmall are those of JPEG.
	qualityTurned = 92
	qualitySmall  = 80
	// small is what making a thumbnail takes beside the picture's points, in bytes.
	small = 6 << 20
)

// errTurned tells that a picture cannot be stored turned.
var errTurned = errors.New("not a picture that is stored turned")

// decode reads the points of a picture, of the first frame where there are several.
func decode(file *os.File, media string) (points image.Image, err error) {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read picture: %w", err)
	}
	defer func() { // no decoder is without faults
		if cause := recover(); cause != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, cause)
		}
	}()
	from := bufio.NewReader(file)
	switch media {
	case JPEG:
		points, err = jpeg.Decode(from)
	case PNG:
		points, err = png.Decode(from)
	case GIF:
		points, err = gif.Decode(from)
	default:
		points, err = webp.Decode(from)
	}
	return points, damaged(err)
}

// shrink makes a thumbnail that stands upright; nil for no points.
func shrink(points image.Image, turn orientation) (*Thumbnail, error) {
	bounds := points.Bounds()
	width, height := bounds.Dx(), bounds.Dy()
	if width == 0 || height == 0 {
		return nil, nil //nolint:nilnil // a frame without points
	}
	rough := average(points, max(ceil(width, 2*MaxThumbnail), ceil(height, 2*MaxThumbnail)))
	longest := max(width, height)
	if longest > MaxThumbnail {
		width, height = max(width*MaxThumbnail/longest, 1), max(height*MaxThumbnail/longest, 1)
	}
	fine := image.NewNRGBA(image.Rect(0, 0, width, height))
	draw.ApproxBiLinear.Scale(fine, fine.Bounds(), rough, rough.Bounds(), draw.Src, nil)
	standing := turned(fine, turn)
	thumbnail := &Thumbnail{MimeType: JPEG, Width: standing.Bounds().Dx(), Height: standing.Bounds().Dy()}
	var content bytes.Buffer
	var err error
	if fine.Opaque() {
		err = jpeg.Encode(&content, standing, &jpeg.Options{Quality: qualitySmall})
	} else {
		thumbnail.MimeType = PNG
		err = png.Encode(&content, standing)
	}
	if err != nil {
		return nil, fmt.Errorf("encode thumbnail: %w", err)
	}
	thumbnail.Content = content.Bytes()
	return thumbnail, nil
}

func ceil(length, part int) int { return (length + part - 1) / part }

// average makes a picture smaller by a whole number: each point is the mean of those that it stands for.
func average(points image.Image, by int) image.Image {
	from, fast := points.(image.RGBA64Image)
	if by <= 1 || !fast {
		return points
	}
	bounds := points.Bounds()
	to := image.NewRGBA64(image.Rect(0, 0, ceil(bounds.Dx(), by), ceil(bounds.Dy(), by)))
	for y := range to.Rect.Dy() {
		for x := range to.Rect.Dx() {
			left, top := bounds.Min.X+x*by, bounds.Min.Y+y*by
			block := image.Rect(left, top, left+by, top+by).Intersect(bounds)
			to.SetRGBA64(x, y, mean(from, block))
		}
	}
	return to
}

func mean(from image.RGBA64Image, block image.Rectangle) color.RGBA64 {
	var red, green, blue, alpha, count uint64
	for y := block.Min.Y; y < block.Max.Y; y++ {
		for x := block.Min.X; x < block.Max.X; x++ {
			at := from.RGBA64At(x, y)
			red, green, blue, alpha = red+uint64(at.R), green+uint64(at.G), blue+uint64(at.B), alpha+uint64(at.A)
			count++
		}
	}
	return color.RGBA64{R: uint16(red / count), G: uint16(green / count), B: uint16(blue / count), A: uint16(alpha / count)}
}

// turned is a small picture that stands upright.
func turned(points *image.NRGBA, turn orientation) *image.NRGBA {
	if turn == upright {
		return points
	}
	width, height := points.Rect.Dx(), points.Rect.Dy()
	size := image.Rect(0, 0, width, height)
	if turn.swaps() {
		size = image.Rect(0, 0, height, width)
	}
	to := image.NewNRGBA(size)
	for y := range size.Dy() {
		for x := range size.Dx() {
			fromX, fromY := turn.at(x, y, width, height)
			to.SetNRGBA(x, y, points.NRGBAAt(fromX, fromY))
		}
	}
	return to
}

// encode stores a picture that stands upright, with the colours of the file that it is from. It fails with errTurned where that
// cannot be done.
func encode(to, from *os.File, points image.Image, turn orientation, media string) error {
	out := bufio.NewWriter(to)
	if media == JPEG {
		begun, err := coloured(out, from)
		if err != nil {
			return err
		}
		err = encodePoints(begun, points, turn, media)
		if err != nil {
			return err
		}
	} else if err := encodePoints(out, points, turn, media); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write picture: %w", err)
	}
	return nil
}

// coloured begins a JPEG picture with the colour profile of another, and is where the rest is written that an encoder makes.
func coloured(to *bufio.Writer, from *os.File) (io.Writer, error) {
	profile, err := profileIn(from)
	if err != nil {
		return nil, err
	}
	const begin = 2 // of each picture, which is there already
	if _, err := to.Write([]byte{0xff, markerSOI}); err != nil {
		return nil, fmt.Errorf("write picture: %w", err)
	}
	for _, segment := range profile {
		if err := writeSegment(to, markerAPP2, segment); err != nil {
			return nil, err
		}
	}
	return &tail{to: to, skip: begin}, nil
}

// tail writes what is written to it but for its beginning.
type tail struct {
	to   io.Writer
	skip int
}

// Write implements io.Writer.
func (t *tail) Write(bytes []byte) (int, error) {
	skipped := min(t.skip, len(bytes))
	t.skip -= skipped
	n, err := t.to.Write(bytes[skipped:])
	return skipped + n, err
}

func encodePoints(out io.Writer, points image.Image, turn orientation, media string) error {
	var err error
	switch planes := points.(type) {
	case *image.YCbCr:
		if media != JPEG {
			return errTurned
		}
		err = jpeg.Encode(out, turnedPlanes(planes, turn), &jpeg.Options{Quality: qualityTurned})
	case *image.Gray:
		standing := image.NewGray(turnedRect(planes.Rect, turn))
		turnPlane(standing.Pix, standing.Stride, standing.Rect, planes.Pix, planes.Stride, planes.Rect, turn)
		if media == JPEG {
			err = jpeg.Encode(out, standing, &jpeg.Options{Quality: qualityTurned})
		} else {
			err = png.Encode(out, standing)
		}
	case *image.NRGBA:
		if media != PNG {
			return errTurned
		}
		err = png.Encode(out, turned(planes, turn))
	default:
		return errTurned
	}
	if err != nil {
		return fmt.Errorf("encode picture: %w", err)
	}
	return nil
}

// turnedRect is the size of what stands upright.
func turnedRect(size image.Rectangle, turn orientation) image.Rectangle {
	if turn.swaps() {
		return image.Rect(0, 0, size.Dy(), size.Dx())
	}
	return image.Rect(0, 0, size.Dx(), size.Dy())
}

// turnedPlanes turns brightness and colours each for itself, as they are stored.
func turnedPlanes(from *image.YCbCr, turn orientation) *image.YCbCr {
	ratio := from.SubsampleRatio
	if turn.swaps() {
		switch ratio { //nolint:exhaustive // the others are as wide as high, or become what there is none of
		case image.YCbCrSubsampleRatio422:
			ratio = image.YCbCrSubsampleRatio440
		case image.YCbCrSubsampleRatio440:
			ratio = image.YCbCrSubsampleRatio422
		case image.YCbCrSubsampleRatio411, image.YCbCrSubsampleRatio410:
			ratio = image.YCbCrSubsampleRatio444
		}
	}
	to := image.NewYCbCr(turnedRect(from.Rect, turn), ratio)
	width, height := from.Rect.Dx(), from.Rect.Dy()
	turnPlane(to.Y, to.YStride, to.Rect, from.Y, from.YStride, from.Rect, turn)
	for y := range to.Rect.Dy() {
		for x := range to.Rect.Dx() {
			fromX, fromY := turn.at(x, y, width, height)
			here, there := to.COffset(x, y), from.COffset(from.Rect.Min.X+fromX, from.Rect.Min.Y+fromY)
			to.Cb[here], to.Cr[here] = from.Cb[there], from.Cr[there]
		}
	}
	return to
}

// turnPlane turns a plane of a byte a point.
func turnPlane(to []byte, toStride int, size image.Rectangle, from []byte, fromStride int, was image.Rectangle, turn orientation) {
	for y := range size.Dy() {
		for x := range size.Dx() {
			fromX, fromY := turn.at(x, y, was.Dx(), was.Dy())
			to[y*toStride+x] = from[fromY*fromStride+fromX]
		}
	}
}
