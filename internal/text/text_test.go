package text_test

import (
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"rolecall/internal/text"
)

func TestIsBlank(t *testing.T) {
	t.Parallel()
	for name, blank := range map[string]string{
		"nothing": "", "spaces": "  ", "lines": "\r\n\t", "no-break space": "\u00a0", "ideographic space": "\u3000",
		"zero width": "\u200b\u200c\u200d\ufeff", "word joiner": "\u2060", "soft hyphen": "\u00ad", "braille": "\u2800",
		"Hangul filler": "\u3164\u115f\u1160\uffa0", "direction marks": "\u200e\u202e\u2066", "controls": "\x00\x1b\x7f",
		"variation selectors": "\ufe0f\U000e0100", "tags": "\U000e0041", "Mongolian vowel separator": "\u180e",
	} {
		if !text.IsBlank(blank) {
			t.Errorf("%s: %q is taken for something to read", name, blank)
		}
		if seen := blank + "x" + blank; text.IsBlank(seen) {
			t.Errorf("%s: %q is taken for blank", name, seen)
		}
	}
	for _, seen := range []string{"0", ".", "é", "e\u0301", "👩‍🚀", "\u0301", "한", "⠁", "ـ"} {
		if text.IsBlank(seen) {
			t.Errorf("%q is taken for blank", seen)
		}
	}
}

func TestHasControl(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]bool{
		"": false, "a\u00a0b": false, "\u200b": false, "👩\u200d🚀": false, "a\nb": true, "\r": true, "a\x00": true, "\x7f": true,
		"\u0085": true, "\u2028": true, "\u2029a": true, "\t": true,
	} {
		if got := text.HasControl(given); got != want {
			t.Errorf("%q: %v, want %v", given, got, want)
		}
	}
}

func TestTrim(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		" a b\n": "a b", "\u00a0\u3000a\u2028": "a", "\u200ba\u200b": "\u200ba\u200b", "\x00a": "\x00a", " ": "",
	} {
		if got := text.Trim(given); got != want {
			t.Errorf("%q is trimmed to %q, want %q", given, got, want)
		}
	}
}

func TestFold(t *testing.T) {
	t.Parallel()
	for _, same := range [][]string{
		{"Zoë", "Zoe\u0308", "ZOË", "ZOE\u0308"}, {"STRASSE", "straße"}, {"Ångström", "A\u030angstro\u0308m"}, {"Σίσυφος", "ΣΊΣΥΦΟΣ"},
		{"한", "\u1112\u1161\u11ab"},
	} {
		for _, other := range same[1:] {
			if text.Fold(same[0]) != text.Fold(other) {
				t.Errorf("%q and %q are not the same: %q, %q", same[0], other, text.Fold(same[0]), text.Fold(other))
			}
		}
	}
	if text.Fold("Zoe") == text.Fold("Zoë") {
		t.Error("letters are taken for the same with and without their accents")
	}
	for r := rune(0); r <= unicode.MaxRune; r++ {
		once := text.Fold(string(r))
		if again := text.Fold(once); again != once {
			t.Errorf("%U is folded to %q, and that to %q", r, once, again)
		}
		if other := unicode.SimpleFold(r); text.Fold(string(other)) != once {
			t.Errorf("%U and %U are not the same: %q, %q", r, other, once, text.Fold(string(other)))
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		if once := text.Fold(s); text.Fold(once) != once {
			t.Fatalf("%q is folded to %q, and that to %q", s, once, text.Fold(once))
		}
	})
}
