// Package text says what people see of a text: whether there is anything, and which names they would call the same.
package text

import (
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// brailleBlank is a symbol by its category and empty to the eye.
const brailleBlank = '\u2800'

// Trim takes white space (Unicode's White_Space) off both ends, and nothing else.
func Trim(s string) string { return strings.TrimSpace(s) }

// IsBlank reports whether a reader would see nothing: whether s is made of white space, control and format characters,
// and what Unicode has programs ignore where they cannot show it (Default_Ignorable_Code_Point, Unicode Standard Annex 44).
func IsBlank(s string) bool {
	return strings.IndexFunc(s, visible) < 0
}

// HasControl reports whether there is a control character in s, or another that begins a new line: what no name of a line has.
func HasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' })
}

func visible(r rune) bool {
	return r != brailleBlank && !unicode.In(r, unicode.White_Space, unicode.Cc, unicode.Cf,
		unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// Fold is the form in which texts are compared that a reader takes for the same: whichever way letters and their accents
// are put together, in capitals or not (canonical caseless matching, The Unicode Standard, section 3.13).
func Fold(s string) string {
	return norm.NFC.String(strings.Map(foldCherokee, cases.Fold().String(norm.NFD.String(s))))
}

// foldCherokee takes the small letters of Cherokee to its capitals, which is how Unicode folds them because the capitals
// were there first (CaseFolding.txt); cases.Fold exchanges the two.
func foldCherokee(r rune) rune {
	const (
		firstSmall, lastSmall, firstCapital = '\uab70', '\uabbf', '\u13a0'
		firstOther, lastOther, otherCapital = '\u13f8', '\u13fd', '\u13f0'
	)
	switch {
	case firstSmall <= r && r <= lastSmall:
		return r - firstSmall + firstCapital
	case firstOther <= r && r <= lastOther:
		return r - firstOther + otherCapital
	}
	return r
}
