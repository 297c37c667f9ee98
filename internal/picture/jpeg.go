package picture

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Markers of JPEG (ITU-T T.81, table B.1).
const (
	markerTEM  = 0x01
	markerSOF0 = 0xc0
	markerSOF2 = 0xc2
	markerDHT  = 0xc4
	markerJPG  = 0xc8
	markerDAC  = 0xcc
	markerRST0 = 0xd0
	markerRST7 = 0xd7
	markerSOI  = 0xd8
	markerEOI  = 0xd9
	markerSOS  = 0xda
	markerAPP0 = 0xe0
	markerAPPF = 0xef
	markerCOM  = 0xfe
	markerAPP2 = 0xe2
	markerAPPE = 0xee
)

// stripJPEG keeps what is needed to show the picture: of the segments for programs those with the colours, and none with text,
// and nothing behind its end, where phones put films and depth maps.
func stripJPEG(to *bufio.Writer, from *bufio.Reader, turn orientation) error {
	if marker, err := nextMarker(from); err != nil || marker != markerSOI {
		return damaged(cmpErr(err, "no start of image"))
	}
	head := []byte{0xff, markerSOI}
	if turn != upright {
		segment := exif(turn)
		head = append(head, 0xff, 0xe1)
		head = binary.BigEndian.AppendUint16(head, uint16(len(segment)+2))
		head = append(head, segment...)
	}
	if _, err := to.Write(head); err != nil {
		return fmt.Errorf("write picture: %w", err)
	}
	isBegun := false
	for {
		marker, err := nextMarker(from)
		switch {
		case err != nil && isBegun && errors.Is(err, io.ErrUnexpectedEOF), err == nil && marker == markerEOI && isBegun:
			_, err = to.Write([]byte{0xff, markerEOI}) // also of one that is cut off
			return err
		case err != nil:
			return damaged(err)
		case marker == markerSOI || marker == markerEOI:
			return damaged(errors.New("a marker out of place"))
		case marker == markerTEM || marker >= markerRST0 && marker <= markerRST7:
			continue
		}
		segment, err := readSegment(from)
		if err != nil && isBegun && errors.Is(err, io.ErrUnexpectedEOF) {
			_, err = to.Write([]byte{0xff, markerEOI})
			return err
		}
		if err != nil {
			return damaged(err)
		}
		if keepsSegment(marker, segment) {
			if err := writeSegment(to, marker, segment); err != nil {
				return err
			}
		}
		if marker == markerSOS {
			isBegun = true
			if err := copyScan(to, from); err != nil {
				return err
			}
		}
	}
}

func cmpErr(err error, otherwise string) error {
	if err != nil {
		return err
	}
	return errors.New(otherwise)
}

// nextMarker reads up to a marker. Bytes before it, which are none of the picture, are passed over.
func nextMarker(from *bufio.Reader) (byte, error) {
	const mostBetween = 1 << 16
	for range mostBetween {
		one, err := from.ReadByte()
		if err != nil {
			return 0, unexpected(err)
		}
		if one != 0xff {
			continue
		}
		for one == 0xff {
			if one, err = from.ReadByte(); err != nil {
				return 0, unexpected(err)
			}
		}
		if one != 0 {
			return one, nil
		}
	}
	return 0, errors.New("no marker")
}

// unexpected is io.ErrUnexpectedEOF for an end.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func readSegment(from *bufio.Reader) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(from, length[:]); err != nil {
		return nil, unexpected(err)
	}
	size := int(binary.BigEndian.Uint16(length[:]))
	if size < len(length) {
		return nil, errors.New("a segment without a length")
	}
	segment := make([]byte, size-len(length))
	if _, err := io.ReadFull(from, segment); err != nil {
		return nil, unexpected(err)
	}
	return segment, nil
}

// keepsSegment: tables and frames; of what programs have put there the colour profile and which colours the points have.
func keepsSegment(marker byte, segment []byte) bool {
	switch {
	case marker == markerAPP2:
		return bytes.HasPrefix(segment, []byte("ICC_PROFILE\x00"))
	case marker == markerAPPE:
		return bytes.HasPrefix(segment, []byte("Adobe"))
	case marker == markerAPP0:
		return bytes.HasPrefix(segment, []byte("JFIF\x00")) && len(segment) >= lengthJFIF
	case marker >= markerAPP0 && marker <= markerAPPF, marker == markerCOM:
		return false
	case marker >= markerSOF0 && marker < markerRST0, marker >= markerSOS && marker < markerAPP0:
		return true
	default:
		return false
	}
}

// lengthJFIF is how long a segment of JFIF is without the small picture that may be in it.
const lengthJFIF = 14

func writeSegment(to *bufio.Writer, marker byte, segment []byte) error {
	if marker == markerAPP0 {
		segment = bytes.Clone(segment[:lengthJFIF])
		segment[lengthJFIF-2], segment[lengthJFIF-1] = 0, 0 // no small picture
	}
	head := binary.BigEndian.AppendUint16([]byte{0xff, marker}, uint16(len(segment)+2))
	if _, err := to.Write(append(head, segment...)); err != nil {
		return fmt.Errorf("write picture: %w", err)
	}
	return nil
}

// copyScan copies points up to the next marker that is no part of them. The end of what is cut off is no failure: what follows
// finds it.
func copyScan(to *bufio.Writer, from *bufio.Reader) error {
	for {
		const marker = 2
		chunk, err := from.Peek(max(from.Buffered(), marker))
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read picture: %w", err)
		}
		points := bytes.IndexByte(chunk, 0xff)
		switch {
		case len(chunk) == 0, points == 0 && len(chunk) < marker:
			return nil
		case points < 0:
			points = len(chunk)
		case points == 0:
			if next := chunk[1]; next != 0 && (next < markerRST0 || next > markerRST7) {
				return nil
			}
			points = marker
		}
		if _, err := to.Write(chunk[:points]); err != nil {
			return fmt.Errorf("write picture: %w", err)
		}
		if _, err := from.Discard(points); err != nil {
			return fmt.Errorf("read picture: %w", err)
		}
	}
}
