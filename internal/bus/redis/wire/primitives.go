package wire

import "encoding/binary"

func appendText[T string | []byte](dst []byte, text T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}

func appendTexts(dst []byte, texts []string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(texts)))
	for _, text := range texts {
		dst = appendText(dst, text)
	}
	return dst
}

func textSize[T string | []byte](text T) int { return countSize(len(text)) + len(text) }

func textsSize(texts []string) int {
	size := countSize(len(texts))
	for _, text := range texts {
		size += textSize(text)
	}
	return size
}

// countSize is how many bytes a varint takes.
func countSize(n int) int {
	size := 1
	for ; n >= 1<<7; n >>= 7 {
		size++
	}
	return size
}

// reader reads what is written one after the other. Once something is not there it is broken, and all else is empty.
type reader struct {
	rest   []byte
	broken bool
}

// count is a number of things of which each takes a byte at least.
func (r *reader) count() int {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 || n > uint64(len(r.rest)-size) {
		r.rest, r.broken = nil, true
		return 0
	}
	r.rest = r.rest[size:]
	return int(n)
}

// bytes is a part of what is read.
func (r *reader) bytes() []byte {
	n := r.count()
	part := r.rest[:n:n]
	r.rest = r.rest[n:]
	return part
}

func (r *reader) text() string { return string(r.bytes()) }

func (r *reader) texts() []string {
	n := r.count()
	if n == 0 {
		return nil
	}
	texts := make([]string, 0, min(n, 1024))
	for range n {
		if texts = append(texts, r.text()); r.broken {
			return nil
		}
	}
	return texts
}
