package words

import "unicode/utf8"

// Piece is a part of an excerpt.
type Piece struct {
	Text string `json:"text"`
	// Hit is set where it is what was looked for.
	Hit bool `json:"hit,omitempty"`
}

// cut stands where a text goes on beyond an excerpt.
const cut = "…"

// Excerpt returns what stands around the first of the spans of a text, at most so many characters and what stands for the rest
// of the text at its ends, with all spans that are in it marked. before is how many characters it has at most before the first.
func Excerpt(text string, spans []Span, before, most int) []Piece {
	from := 0
	if len(spans) > 0 {
		from = back(text, spans[0].Start, before)
	}
	to := from + runesEnd(text[from:], most)
	var pieces []Piece
	add := func(start, end int, hit bool) {
		if start < end {
			pieces = append(pieces, Piece{text[start:end], hit})
		}
	}
	if from > 0 {
		pieces = append(pieces, Piece{Text: cut})
	}
	at := from
	for _, s := range spans {
		if s.Start >= to {
			break
		}
		add(at, s.Start, false)
		add(s.Start, min(s.End, to), true)
		at = min(s.End, to)
	}
	add(at, to, false)
	if to < len(text) {
		pieces = append(pieces, Piece{Text: cut})
	}
	return pieces
}

// back is so many characters before a place, at a word's beginning where one is near.
func back(text string, place, n int) int {
	at := place
	for range n {
		if at == 0 {
			return 0
		}
		_, size := utf8.DecodeLastRuneInString(text[:at])
		at -= size
	}
	const near = 15 // characters
	for next, moved := at, 0; next < place && moved < near; moved++ {
		r, size := utf8.DecodeRuneInString(text[next:])
		if next += size; classOf(r) == between {
			return next
		}
	}
	return at
}
