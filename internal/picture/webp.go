package picture

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Bits of the first byte of VP8X (RFC 9649, section 2.7) that tell of what is left out.
const (
	flagExif     = 0x08
	flagsLeftOut = flagExif | 0x04 // XMP
)

// stripWebP keeps what is needed to show the picture. Its length stands before it: what is left out is filled up, behind the
// picture, by a chunk that programs pass over, or that says how the picture is to be turned.
func stripWebP(to *bufio.Writer, from *bufio.Reader, turn orientation) error {
	var head [12]byte
	if _, err := io.ReadFull(from, head[:]); err != nil || string(head[:4]) != "RIFF" || string(head[8:]) != "WEBP" {
		return damaged(cmpErr(err, "no signature"))
	}
	if _, err := to.Write(head[:]); err != nil {
		return fmt.Errorf("write picture: %w", err)
	}
	left := int64(binary.LittleEndian.Uint32(head[4:8])) - 4
	leftOut := int64(0)
	for left >= chunkHead {
		written, size, err := copyChunk(to, from, turn)
		if err != nil {
			return err
		}
		if left -= size; !written {
			leftOut += size
		}
	}
	if left != 0 {
		return damaged(errors.New("chunks that do not fit"))
	}
	if leftOut == 0 {
		return nil
	}
	filler := []byte("JUNK")
	if turn != upright {
		filler = []byte("EXIF")
	}
	filler = binary.LittleEndian.AppendUint32(filler, uint32(leftOut-chunkHead))
	if said := exif(turn)[len(exifName):]; turn != upright && leftOut >= chunkHead+int64(len(said)) {
		filler = append(filler, said...)
	}
	if _, err := to.Write(filler); err != nil {
		return fmt.Errorf("write picture: %w", err)
	}
	if _, err := io.CopyN(to, zeros{}, leftOut-int64(len(filler))); err != nil {
		return fmt.Errorf("write picture: %w", err)
	}
	return nil
}

// chunkHead is how long the name and the length of a chunk are.
const chunkHead = 8

// copyChunk copies a chunk, where it is one that is kept, and returns its whole size.
func copyChunk(to *bufio.Writer, from *bufio.Reader, turn orientation) (written bool, size int64, err error) {
	var head [chunkHead]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return false, 0, damaged(unexpected(err))
	}
	kind, length := string(head[:4]), int64(binary.LittleEndian.Uint32(head[4:]))
	padded := length + length%2
	if !slices.Contains([]string{"VP8 ", "VP8L", "VP8X", "ALPH", "ANIM", "ANMF", "ICCP"}, kind) {
		_, err := io.CopyN(io.Discard, from, padded)
		return false, chunkHead + padded, damaged(unexpected(err))
	}
	if _, err := to.Write(head[:]); err != nil {
		return false, 0, fmt.Errorf("write picture: %w", err)
	}
	rest := padded
	if kind == "VP8X" && rest > 0 {
		flags, err := from.ReadByte()
		if err != nil {
			return false, 0, damaged(unexpected(err))
		}
		if flags &^= flagsLeftOut; turn != upright {
			flags |= flagExif
		}
		if err := to.WriteByte(flags); err != nil {
			return false, 0, fmt.Errorf("write picture: %w", err)
		}
		rest--
	}
	_, err = io.CopyN(to, from, rest)
	return true, chunkHead + padded, damaged(unexpected(err))
}

// zeros is an endless row of them.
type zeros struct{}

// Read implements io.Reader.
func (zeros) Read(into []byte) (int, error) {
	clear(into)
	return len(into), nil
}
