package picture

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Blocks of GIF (GIF89a specification, appendix A).
const (
	blockExtension = 0x21
	blockImage     = 0x2c
	blockTrailer   = 0x3b
	labelControl   = 0xf9
	labelProgram   = 0xff
)

// stripGIF keeps frames, how long each is shown and how often all are; no comments, no texts, and of what programs have put there
// nothing else.
func stripGIF(to *bufio.Writer, from *bufio.Reader, _ orientation) error {
	const screen = 13
	head := make([]byte, screen)
	if _, err := io.ReadFull(from, head); err != nil || !strings.HasPrefix(string(head), "GIF8") {
		return damaged(cmpErr(err, "no signature"))
	}
	g := gifCopy{to, from}
	if err := g.write(head); err != nil {
		return err
	}
	if err := g.copyColours(head[10]); err != nil {
		return err
	}
	for {
		kind, err := from.ReadByte()
		switch {
		case err != nil:
			return damaged(unexpected(err))
		case kind == blockTrailer:
			return g.write([]byte{blockTrailer})
		case kind == blockImage:
			err = g.copyImage()
		case kind == blockExtension:
			err = g.copyExtension()
		default:
			err = damaged(errors.New("an unknown block"))
		}
		if err != nil {
			return err
		}
	}
}

// gifCopy copies parts of a picture.
type gifCopy struct {
	to   *bufio.Writer
	from *bufio.Reader
}

func (g gifCopy) write(bytes []byte) error {
	if _, err := g.to.Write(bytes); err != nil {
		return fmt.Errorf("write picture: %w", err)
	}
	return nil
}

// copyColours copies the table that the flags tell of.
func (g gifCopy) copyColours(flags byte) error {
	const hasTable, sizeBits = 0x80, 0x07
	if flags&hasTable == 0 {
		return nil
	}
	_, err := io.CopyN(g.to, g.from, 3<<(flags&sizeBits+1))
	return damaged(unexpected(err))
}

func (g gifCopy) copyImage() error {
	descriptor := make([]byte, 9)
	if _, err := io.ReadFull(g.from, descriptor); err != nil {
		return damaged(unexpected(err))
	}
	if err := g.write(append([]byte{blockImage}, descriptor...)); err != nil {
		return err
	}
	if err := g.copyColours(descriptor[8]); err != nil {
		return err
	}
	width, err := g.from.ReadByte() // of codes
	if err != nil {
		return damaged(unexpected(err))
	}
	if err := g.write([]byte{width}); err != nil {
		return err
	}
	return g.copyBlocks(g.to)
}

func (g gifCopy) copyExtension() error {
	label, err := g.from.ReadByte()
	if err != nil {
		return damaged(unexpected(err))
	}
	begin := []byte{blockExtension, label}
	switch label {
	case labelControl:
		if err := g.write(begin); err != nil {
			return err
		}
		return g.copyBlocks(g.to)
	case labelProgram:
		name, err := g.block()
		if err != nil {
			return err
		}
		if program := string(name[1:]); program != "NETSCAPE2.0" && program != "ANIMEXTS1.0" {
			return g.copyBlocks(io.Discard)
		}
		if err := g.write(append(begin, name...)); err != nil {
			return err
		}
		return g.copyBlocks(g.to)
	default:
		return g.copyBlocks(io.Discard)
	}
}

// block reads a block of data with its length before it; that of the last is 0.
func (g gifCopy) block() ([]byte, error) {
	size, err := g.from.ReadByte()
	if err != nil {
		return nil, damaged(unexpected(err))
	}
	block := make([]byte, 1+int(size))
	block[0] = size
	if _, err := io.ReadFull(g.from, block[1:]); err != nil {
		return nil, damaged(unexpected(err))
	}
	return block, nil
}

func (g gifCopy) copyBlocks(to io.Writer) error {
	for {
		block, err := g.block()
		if err != nil {
			return err
		}
		if _, err := to.Write(block); err != nil {
			return fmt.Errorf("write picture: %w", err)
		}
		if len(block) == 1 {
			return nil
		}
	}
}
