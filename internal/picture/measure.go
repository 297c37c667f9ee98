package picture

import (
	"bufio"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"os"

	"golang.org/x/image/webp"
)

// measured is a picture as it is stored.
type measured struct {
	width, height int
	// memory is how many bytes it takes to have all of its points.
	memory int64
}

// measure reads how large a picture is, without its points.
func measure(file *os.File, media string) (measured, error) {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return measured{}, fmt.Errorf("read picture: %w", err)
	}
	from := bufio.NewReader(file)
	var config image.Config
	var err error
	switch media {
	case JPEG:
		config, err = jpeg.DecodeConfig(from)
	case PNG:
		config, err = png.DecodeConfig(from)
	case GIF:
		config, err = gif.DecodeConfig(from)
	default:
		config, err = webp.DecodeConfig(from)
	}
	if err != nil {
		return measured{}, damaged(err)
	}
	if config.Width < 1 || config.Height < 1 || config.Width > maxSide || config.Height > maxSide {
		return measured{}, damaged(errors.New("sides that no picture has"))
	}
	size := measured{width: config.Width, height: config.Height}
	points := int64(config.Width) * int64(config.Height)
	switch media {
	case JPEG:
		size.memory, err = memoryOfJPEG(file, points, config.ColorModel)
	case PNG:
		size.memory, err = memoryOfPNG(file, points, config.ColorModel)
	case GIF:
		size.memory = points // indices, of the first frame alone
	default:
		size.memory = memoryOfWebP(points, config.ColorModel)
	}
	return size, err
}

// memoryOfJPEG: each point has its brightness, and colours for itself as long as nothing else is known. Those that come in
// several passes (progressive) are kept as coefficients as well, of four bytes each.
func memoryOfJPEG(file *os.File, points int64, colours color.Model) (int64, error) {
	var samples int64
	switch colours {
	case color.GrayModel:
		samples = points
	case color.CMYKModel:
		const planesAndPoints = 8
		samples = planesAndPoints * points
	default:
		samples = 3 * points
	}
	frame, marker, err := frameOf(file)
	if err != nil {
		return 0, err
	}
	if colours != color.CMYKModel && colours != color.GrayModel {
		samples = samplesOf(frame, points)
	}
	if marker == markerSOF2 {
		const coefficient = 4
		samples += coefficient * samples
	}
	return samples, nil
}

// frameOf is the header of a JPEG picture's frame, and its marker.
func frameOf(file *os.File) (frame []byte, marker byte, err error) {
	err = eachSegment(file, func(of byte, segment []byte) (more bool) {
		if isFrameHeader(of) {
			frame, marker = segment, of
			return false
		}
		return true
	})
	return frame, marker, err
}

// profileIn is the colour profile of a JPEG picture, in as many segments as it has.
func profileIn(file *os.File) (segments [][]byte, err error) {
	const mostProfile = 2 << 20 // of all that comes before the points
	bytes := 0
	err = eachSegment(file, func(marker byte, segment []byte) (more bool) {
		if bytes += len(segment); marker == markerAPP2 && keepsSegment(marker, segment) && bytes <= mostProfile {
			segments = append(segments, segment)
		}
		return !isFrameHeader(marker)
	})
	return segments, err
}

func isFrameHeader(marker byte) bool {
	return marker >= markerSOF0 && marker < markerRST0 && marker != markerDHT && marker != markerJPG && marker != markerDAC
}

// eachSegment goes through the segments of a JPEG picture before its points.
func eachSegment(file *os.File, do func(marker byte, segment []byte) (more bool)) error {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read picture: %w", err)
	}
	from := bufio.NewReader(file)
	for {
		marker, err := nextMarker(from)
		if err != nil {
			return damaged(err)
		}
		if marker == markerSOI || marker == markerTEM {
			continue
		}
		segment, err := readSegment(from)
		if err != nil {
			return damaged(err)
		}
		if !do(marker, segment) || marker == markerSOS {
			return nil
		}
	}
}

// samplesOf counts the values of a frame's planes, of which those of colours may have fewer than there are points.
func samplesOf(frame []byte, points int64) int64 {
	const head, each, factors = 6, 3, 1
	most, all := int64(1), int64(0)
	for at := head; at+each <= len(frame); at += each {
		across, down := int64(frame[at+factors]>>4), int64(frame[at+factors]&0xf)
		most, all = max(most, across*down), all+across*down
	}
	return max(points*all/most, points)
}

func memoryOfPNG(file *os.File, points int64, colours color.Model) (int64, error) {
	memory := points
	switch colours {
	case color.GrayModel:
	case color.Gray16Model:
		memory = 2 * points
	case color.RGBAModel, color.NRGBAModel:
		memory = 4 * points
	case color.RGBA64Model, color.NRGBA64Model:
		memory = 8 * points
	default: // a palette; with transparent grey
		if _, isPalette := colours.(color.Palette); !isPalette {
			memory = 8 * points
		}
	}
	const interlace = 28 // where the header says in how many passes it comes
	header := make([]byte, interlace+1)
	if _, err := file.ReadAt(header, 0); err != nil {
		return 0, damaged(err)
	}
	if header[interlace] != 0 {
		memory *= 2 // the passes are pictures of their own
	}
	return memory, nil
}

// memoryOfWebP counts what its decoder makes on the way: points of four bytes twice where nothing is lost, and once for
// transparency.
func memoryOfWebP(points int64, colours color.Model) int64 {
	if colours == color.YCbCrModel {
		return 2 * points
	}
	return 8 * points
}
