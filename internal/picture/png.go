package picture

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
)

const signaturePNG = "\x89PNG\r\n\x1a\n"

// keptChunks are those with points, colours and pictures that move (PNG third edition, section 11).
func keptChunks() []string {
	return []string{
		"IHDR", "PLTE", "IDAT", "IEND", "tRNS", "cHRM", "gAMA", "iCCP", "sBIT", "sRGB", "cICP", "mDCV", "cLLI", "bKGD", "hIST", "pHYs",
		"sPLT", "acTL", "fcTL", "fdAT",
	}
}

func writeChunk(to *bufio.Writer, kind string, content []byte) error {
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(content)))
	chunk = append(append(chunk, kind...), content...)
	chunk = binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(chunk[4:]))
	if _, err := to.Write(chunk); err != nil {
		return fmt.Errorf("write picture: %w", err)
	}
	return nil
}

// stripPNG keeps what is needed to show the picture, and nothing behind its end.
func stripPNG(to *bufio.Writer, from *bufio.Reader, turn orientation) error {
	signature := make([]byte, len(signaturePNG))
	if _, err := io.ReadFull(from, signature); err != nil || string(signature) != signaturePNG {
		return damaged(cmpErr(err, "no signature"))
	}
	if _, err := to.Write(signature); err != nil {
		return fmt.Errorf("write picture: %w", err)
	}
	kept := keptChunks()
	for {
		var head [8]byte
		if _, err := io.ReadFull(from, head[:]); err != nil {
			return damaged(unexpected(err))
		}
		size, kind := int64(binary.BigEndian.Uint32(head[:4])), string(head[4:])
		if size > 1<<31-1 {
			return damaged(errors.New("a chunk that is too long"))
		}
		const checksum = 4
		into := io.Writer(to)
		if !slices.Contains(kept, kind) {
			into = io.Discard
		}
		if _, err := into.Write(head[:]); err != nil {
			return fmt.Errorf("write picture: %w", err)
		}
		if _, err := io.CopyN(into, from, size+checksum); err != nil {
			return damaged(unexpected(err))
		}
		if kind == "IHDR" && turn != upright {
			if err := writeChunk(to, "eXIf", exif(turn)[len(exifName):]); err != nil {
				return err
			}
		}
		if kind == "IEND" {
			return nil
		}
	}
}
