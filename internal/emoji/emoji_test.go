package emoji_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"rolecall/internal/emoji"
)

func TestParse(t *testing.T) {
	for sent, want := range map[string]string{
		"👍": "👍", "👍🏽": "👍🏽", "😀": "😀", "🫩": "🫩", "🏿": "🏿",
		"\u2764": "\u2764\uFE0F", "\u2764\uFE0F": "\u2764\uFE0F", "👍\uFE0F": "👍", "☝🏽": "☝🏽", "☝\uFE0F🏽": "☝🏽",
		"🇺🇳": "🇺🇳", "\U0001F3F4\U000E0067\U000E0062\U000E0065\U000E006E\U000E0067\U000E007F": "\U0001F3F4\U000E0067\U000E0062\U000E0065\U000E006E\U000E0067\U000E007F",
		"1\u20E3": "1\uFE0F\u20E3", "#\uFE0F\u20E3": "#\uFE0F\u20E3",
		"👩\u200D👩\u200D👧\u200D👦": "👩\u200D👩\u200D👧\u200D👦", "❤\u200D🔥": "❤\uFE0F\u200D🔥", "🏳\u200D🌈": "🏳\uFE0F\u200D🌈",
		"👩🏽\u200D❤\uFE0F\u200D💋\u200D👩🏾": "👩🏽\u200D❤\uFE0F\u200D💋\u200D👩🏾", "©": "©\uFE0F",
	} {
		got, ok := emoji.Parse(sent)
		if !ok || got != want {
			t.Errorf("%+q is read as %+q, %t; want %+q", sent, got, ok, want)
		}
		if again, ok := emoji.Parse(got); !ok || again != got {
			t.Errorf("%+q, spelt in full, is read as %+q, %t", got, again, ok)
		}
	}
	for _, text := range []string{
		"", " ", "a", "1", "#", "+1", ":-)", "ok", "👍👍", "👍 ", " 👍", "👍a", "a👍", "é", "e\u0301", "你", "\u200D", "\uFE0F", "\u20E3",
		"👍\u200D", "\u200D👍", "👍\u200Da", "👍\u200D\u200D👍", "🇺", "🇺🇳🇺", "🇺a", "👍\u0301", "👍\uFE0E", "\u2764\uFE0F\uFE0F", "👍🏽🏽",
		"1\uFE0F", "🏴\U000E0067", "🏴\U000E007F", "\u202E👍", "👍\u202E", "\x00", "\xff", "👍\x00", "<b>", "\u200B", "\u00A0",
		strings.Repeat("👍\u200D", 20) + "👍", "Z\u0337\u0352", "𝕏", "\U000E0067",
	} {
		if got, ok := emoji.Parse(text); ok {
			t.Errorf("%+q is taken for the emoji %+q", text, got)
		}
	}
}

// TestPublishedSequences: the emoji of Unicode's list, with every selector and with fewer, are some, and spelt as one of it.
func TestPublishedSequences(t *testing.T) {
	folder, set := os.LookupEnv("TEST_DATA")
	if !set {
		t.Skip("TEST_DATA does not name a folder of texts")
	}
	content, err := os.ReadFile(filepath.Join(folder, "text", "emoji_sequences_17.txt"))
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]bool)
	for line := range strings.SplitSeq(string(content), "\n") {
		all[line] = true
	}
	delete(all, "")
	bare := strings.NewReplacer("\uFE0F", "")
	for sequence := range all {
		if got, ok := emoji.Parse(sequence); !ok || !all[got] || bare.Replace(got) != bare.Replace(sequence) {
			t.Errorf("%+q is read as %+q, %t", sequence, got, ok)
		}
	}
	if len(all) < 1000 {
		t.Errorf("only %d sequences were read", len(all))
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"👍🏽", "❤\u200D🔥", "1\u20E3", "🏴\U000E0067\U000E007F", "🇺🇳", "x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := emoji.Parse(text)
		if !ok {
			return
		}
		if again, ok := emoji.Parse(got); !ok || again != got || len(got) > emoji.MaxBytes || !utf8.ValidString(got) {
			t.Errorf("%+q is spelt %+q, and that %+q, %t", text, got, again, ok)
		}
	})
}
