// Package words says by which words a text is found, in every script: for the index of a store, for what somebody looks for,
// and for marking it where it stands. Capitals, accents and the ways of putting characters together make no difference.
//
// A word is a run of letters, digits and their marks. In scripts that are written without blanks between words, and in Korean,
// where particles are joined to them, and among emoji, each character stands for itself, and two that stand beside each other
// for a part of a word: so words of one character and of more are found wherever they stand, without a dictionary, which
// would not know names, and would find something else after each of its releases. Unicode's rules for the boundaries of words
// (Unicode Standard Annex 29) hold together what is looked for by its parts, as example.org, l'école and 12:30 are, and so
// these do not go by them.
package words

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"rolecall/internal/text"
)

// part is a word of a text, or a character that stands for itself.
type part struct {
	folded     string
	start, end int // in bytes
	// single: it is a character that stands for itself; joined: and another one is right before it.
	single, joined bool
}

// class is what a character does in a text.
type class int

const (
	between class = iota // ends a word
	letter               // is of a word
	single               // stands for itself
	mark                 // belongs to what is before it
	nothing              // is not there for readers
)

// firstSingle is the first character of those scripts.
const firstSingle = '\u0e00'

// singles are the scripts without blanks between words; those of South East Asia are the ones of Line_Break=Complex_Context
// (Unicode Standard Annex 14).
func singles() []*unicode.RangeTable {
	return []*unicode.RangeTable{
		unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar,
		unicode.Bopomofo, unicode.Yi, unicode.Tai_Le, unicode.New_Tai_Lue, unicode.Tai_Tham, unicode.Tai_Viet, unicode.Ahom,
	}
}

func classOf(r rune) class {
	switch {
	case r < utf8.RuneSelf:
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return letter
		}
		return between
	case r == '\u30fc', r == '\uff70': // the Japanese sign of a long sound, which is of no script
		return single
	case r == '\uff9e', r == '\uff9f', r >= '\u1160' && r <= '\u11ff': // signs of half width; vowels and ends of Korean syllables
		return mark
	case unicode.Is(unicode.M, r), isSkin(r):
		return mark
	case r == '\u0640', unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point):
		return nothing // as is the line that only makes Arabic words longer
	case unicode.In(r, unicode.L, unicode.N):
		if r >= firstSingle && unicode.In(r, singles()...) {
			return single
		}
		return letter
	case unicode.Is(unicode.So, r):
		return single
	default:
		return between
	}
}

// partsOf cuts a text, and stops where yield returns false.
func partsOf(s string, yield func(part) bool) {
	var now part
	open, lastEnd := false, -1
	end := func() bool {
		if !open {
			return true
		}
		open = false
		if now.folded = fold(s[now.start:now.end], now.single); now.folded == "" {
			return true
		}
		now.joined = now.single && now.start == lastEnd
		if lastEnd = -1; now.single {
			lastEnd = now.end
		}
		return yield(now)
	}
	for i, r := range s {
		after := i + max(1, utf8.RuneLen(r))
		if r == utf8.RuneError && !strings.HasPrefix(s[i:], string(utf8.RuneError)) {
			after = i + 1 // not UTF-8
		}
		switch c := classOf(r); {
		case (c == mark || c == nothing) && open:
			now.end = after
		case c == letter && open && !now.single:
			now.end = after
		case c == letter || c == single:
			if !end() {
				return
			}
			now, open = part{start: i, end: after, single: c == single}, true
		case c == between:
			if !end() {
				return
			}
			lastEnd = -1
		}
	}
	end()
}

// fold is the form in which words are compared.
func fold(s string, isSingle bool) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	if isSingle {
		return strings.Map(shown, norm.NFKC.String(s))
	}
	var folded strings.Builder
	for _, r := range text.Fold(strings.Map(unaccented, norm.NFKD.String(s))) {
		switch class := classOf(r); {
		case class != letter && class != mark && class != single:
		case latinFor(r) != "":
			folded.WriteString(latinFor(r))
		default:
			folded.WriteRune(digit(r))
		}
	}
	return folded.String()
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// isSkin reports whether r gives an emoji before it a colour of skin.
func isSkin(r rune) bool { return r >= 0x1f3fb && r <= 0x1f3ff }

func shown(r rune) rune {
	if classOf(r) == nothing || isSkin(r) {
		return -1
	}
	return r
}

// unaccented takes away what many leave out as they write: accents, and the points of Hebrew and Arabic. Marks of other scripts
// are as much of a word as its letters.
func unaccented(r rune) rune {
	switch {
	case r >= '\u0300' && r <= '\u036f', r >= '\u0483' && r <= '\u0487', r >= '\u0591' && r <= '\u05c7', r >= '\u064b' && r <= '\u065f',
		r == '\u0670', r >= '\u1ab0' && r <= '\u1aff', r >= '\u1dc0' && r <= '\u1dff', r >= '\u20d0' && r <= '\u20ff', r >= '\ufe20' && r <= '\ufe2f':
		return -1
	}
	return r
}

// latinFor is what is written in the place of a letter that is no other with an accent by Unicode, "" for all others.
func latinFor(r rune) string {
	switch r {
	case 'ø':
		return "o"
	case 'ł':
		return "l"
	case 'đ', 'ð':
		return "d"
	case 'ħ':
		return "h"
	case 'ı':
		return "i"
	case 'æ':
		return "ae"
	case 'œ':
		return "oe"
	case 'þ':
		return "th"
	default:
		return ""
	}
}

// digit is a decimal digit of any script as that of ASCII; other characters stay as they are. Unicode has the ten of a script
// one after the other.
func digit(r rune) rune {
	if r < utf8.RuneSelf || !unicode.Is(unicode.Nd, r) {
		return r
	}
	for _, ten := range unicode.Nd.R16 {
		if rune(ten.Lo) <= r && r <= rune(ten.Hi) {
			return '0' + (r-rune(ten.Lo))%10
		}
	}
	for _, ten := range unicode.Nd.R32 {
		if rune(ten.Lo) <= r && r <= rune(ten.Hi) {
			return '0' + (r-rune(ten.Lo))%10
		}
	}
	return r
}
