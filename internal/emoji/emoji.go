// Package emoji tells one emoji from other text, in one spelling.
package emoji

import "unicode/utf8"

// MaxBytes is the most that an emoji has.
const MaxBytes = 64

const (
	asEmoji     = '\uFE0F' // has what stands before it shown as an emoji
	asText      = '\uFE0E'
	joiner      = '\u200D'
	keycap      = '\u20E3'
	firstTag    = '\U000E0020'
	lastTag     = '\U000E007E'
	endOfTags   = '\U000E007F'
	firstTone   = '\U0001F3FB' // of skin
	lastTone    = '\U0001F3FF'
	firstLetter = '\U0001F1E6' // of flags
	lastLetter  = '\U0001F1FF'
)

// Parse reads one emoji as people see one, as UTS #51 describes it: a pictograph, perhaps with a tone of skin, several that are
// joined, a flag or a key; by its form alone, so that those of later versions of Unicode are some as well. It returns the
// emoji as it is spelt in full: with a selector behind what would else be shown as text, and no others. Ok is false for
// anything else.
func Parse(text string) (emoji string, ok bool) {
	if len(text) > MaxBytes || !utf8.ValidString(text) {
		return "", false
	}
	s := scanner{rest: []rune(text)}
	if !s.element() {
		return "", false
	}
	for len(s.rest) > 0 {
		if !s.take(joiner) || !s.element() {
			return "", false
		}
	}
	if spelt := string(s.spelt); len(spelt) <= MaxBytes {
		return spelt, true
	}
	return "", false
}

// scanner reads code points, and spells them.
type scanner struct {
	rest, spelt []rune
}

func (s *scanner) next() rune {
	if len(s.rest) == 0 {
		return -1
	}
	return s.rest[0]
}

// keep takes the next code point.
func (s *scanner) keep() {
	s.spelt = append(s.spelt, s.rest[0])
	s.rest = s.rest[1:]
}

// take is keep where the next code point is that one.
func (s *scanner) take(wanted rune) bool {
	if s.next() != wanted {
		return false
	}
	s.keep()
	return true
}

// element reads what may be joined with others.
func (s *scanner) element() bool {
	switch first := s.next(); {
	case first >= '0' && first <= '9', first == '#', first == '*':
		return s.key()
	case isLetter(first):
		s.keep()
		if !isLetter(s.next()) {
			return false
		}
		s.keep()
		return true
	case isTone(first): // by itself
		s.keep()
		s.skip(asEmoji)
		return true
	case in(pictographs, first):
		s.keep()
		return s.shape(first)
	default:
		return false
	}
}

// key reads a key of a telephone.
func (s *scanner) key() bool {
	s.keep()
	s.skip(asEmoji)
	if s.next() != keycap {
		return false
	}
	s.spelt = append(s.spelt, asEmoji)
	s.keep()
	return true
}

// shape reads what may follow a pictograph: how it is shown, or tags, which are of flags.
func (s *scanner) shape(first rune) bool {
	selected := s.skip(asEmoji)
	switch next := s.next(); {
	case next == asText:
		return false
	case isTone(next):
		s.keep()
		s.skip(asEmoji)
		return true
	case next >= firstTag && next <= lastTag && !selected:
		for next := s.next(); next >= firstTag && next <= lastTag; next = s.next() {
			s.keep()
		}
		return s.take(endOfTags)
	}
	if in(textual, first) {
		s.spelt = append(s.spelt, asEmoji)
	}
	return true
}

func (s *scanner) skip(one rune) bool {
	if s.next() != one {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

func isLetter(r rune) bool { return r >= firstLetter && r <= lastLetter }

func isTone(r rune) bool { return r >= firstTone && r <= lastTone }

// in reports whether a code point is in one of the ranges.
func in(ranges string, wanted rune) bool {
	for len(ranges) > 0 {
		first, size := utf8.DecodeRuneInString(ranges)
		last, more := utf8.DecodeRuneInString(ranges[size:])
		if wanted < first {
			return false
		}
		if wanted <= last {
			return true
		}
		ranges = ranges[size+more:]
	}
	return false
}
