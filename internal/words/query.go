package words

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// maxLookedUp bounds the terms of a query that are looked up; whether a text has the rest is seen in the text.
const maxLookedUp = 12

// Query is what somebody looks for: all of its words, wherever they stand in a text. The last one may go on, where nothing
// follows it and it has three characters.
type Query struct{ wanted []wanted }

// wanted is a word, or several characters that stand for themselves, one after the other.
type wanted struct {
	singles []string // nil for a word
	word    string
	goesOn  bool
}

// Parse reads what somebody has written. A query of nothing that is looked for IsEmpty.
func Parse(written string) Query {
	var q Query
	last := 0
	partsOf(written, func(p part) bool {
		switch {
		case p.joined:
			before := &q.wanted[len(q.wanted)-1]
			before.singles = append(before.singles, p.folded)
		case p.single:
			q.wanted = append(q.wanted, wanted{singles: []string{p.folded}})
		default:
			q.wanted = append(q.wanted, wanted{word: p.folded})
		}
		last = p.end
		return true
	})
	if n := len(q.wanted); n > 0 && last == len(written) && utf8.RuneCountInString(q.wanted[n-1].word) >= shortBeginning {
		q.wanted[n-1].goesOn = true
	}
	return q
}

// IsEmpty reports whether there is no word in the query.
func (q Query) IsEmpty() bool { return len(q.wanted) == 0 }

// Terms are some that every text has which the query is found in, those of long words first.
func (q Query) Terms() []string {
	var all []string
	for i := range q.wanted {
		all = append(all, q.wanted[i].terms()...)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	slices.SortStableFunc(all, func(a, b string) int { return len(b) - len(a) })
	return all[:min(len(all), maxLookedUp)]
}

func (w *wanted) terms() []string {
	switch {
	case w.goesOn && utf8.RuneCountInString(w.word) >= longBeginning:
		return []string{beginning(first(w.word, longBeginning))}
	case w.goesOn:
		return []string{beginning(first(w.word, shortBeginning))}
	case w.singles == nil:
		return []string{whole(w.word)}
	case len(w.singles) == 1:
		return []string{one(w.singles[0])}
	}
	pairs := make([]string, 0, len(w.singles)-1)
	for i := 1; i < len(w.singles); i++ {
		pairs = append(pairs, pair(w.singles[i-1], w.singles[i]))
	}
	return pairs
}

// Span is a part of a text, in bytes.
type Span struct{ Start, End int }

// Find returns where the words of the query stand in a text, in order and apart from each other; none where the text does not
// have all of them.
func (q Query) Find(text string) []Span {
	var parts []part
	partsOf(text, func(p part) bool {
		parts = append(parts, p)
		return true
	})
	var spans []Span
	for i := range q.wanted {
		before := len(spans)
		for at := range parts {
			if end, is := q.wanted[i].stands(parts, at); is {
				spans = append(spans, Span{parts[at].start, end})
			}
		}
		if len(spans) == before {
			return nil
		}
	}
	return joined(spans)
}

// stands reports whether what is wanted begins with a part, and where it ends.
func (w *wanted) stands(parts []part, at int) (end int, is bool) {
	if w.singles == nil {
		p := &parts[at]
		return p.end, !p.single && (p.folded == w.word || w.goesOn && strings.HasPrefix(p.folded, w.word))
	}
	if at+len(w.singles) > len(parts) {
		return 0, false
	}
	for i, character := range w.singles {
		p := &parts[at+i]
		if !p.single || p.folded != character || i > 0 && !p.joined {
			return 0, false
		}
	}
	return parts[at+len(w.singles)-1].end, true
}

// joined sorts spans, and makes one of those that touch.
func joined(spans []Span) []Span {
	slices.SortFunc(spans, func(a, b Span) int { return a.Start - b.Start })
	apart := spans[:0]
	for _, s := range spans {
		if n := len(apart); n > 0 && s.Start <= apart[n-1].End {
			apart[n-1].End = max(apart[n-1].End, s.End)
		} else {
			apart = append(apart, s)
		}
	}
	return apart
}
