package roster

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// maxLine is the longest line that is looked at, and about the longest record, in bytes: four times what the longest names and
// ids take.
const maxLine = 8 << 10

// line is one of a text. Of one that is too long nothing is kept.
type line struct {
	number  int // from 1
	text    string
	tooLong bool
}

// lines reads a text line by line, without the line ends.
type lines struct {
	in     *bufio.Reader
	number int
	// again is what is read again, the next one last.
	again []line
}

// next returns the next line. It fails with io.EOF behind the last, and as the reader does.
func (l *lines) next() (line, error) {
	if last := len(l.again) - 1; last >= 0 {
		next := l.again[last]
		l.again = l.again[:last]
		return next, nil
	}
	text, err := l.in.ReadSlice('\n')
	next := line{number: l.number + 1}
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		next.tooLong = true
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = l.in.ReadSlice('\n')
		}
	case err == nil || errors.Is(err, io.EOF) && len(text) > 0:
		text, _ = bytes.CutSuffix(text, []byte("\n"))
		text, _ = bytes.CutSuffix(text, []byte("\r"))
		next.text = string(text)
		err = nil
	}
	if err != nil && (!next.tooLong || !errors.Is(err, io.EOF)) {
		return line{}, err
	}
	l.number++
	return next, nil
}

// putBack has lines read again, before all others.
func (l *lines) putBack(some []line) {
	for i := len(some) - 1; i >= 0; i-- {
		l.again = append(l.again, some[i])
	}
}
