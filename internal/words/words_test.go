package words_test

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"rolecall/internal/words"
)

// found reports whether a text is found by a query, by its terms and by its words; the two must agree.
func found(t testing.TB, query, text string) bool {
	t.Helper()
	q := words.Parse(query)
	if q.IsEmpty() {
		return false
	}
	inText := len(q.Find(text)) > 0
	terms := words.Terms(text)
	if len(terms) == words.MaxTerms {
		return inText
	}
	byTerms := !slices.ContainsFunc(q.Terms(), func(term string) bool { return !slices.Contains(terms, term) })
	if inText && !byTerms {
		t.Errorf("%q is in %q, and not by its terms: %q of %q", query, text, q.Terms(), terms)
	}
	return inText
}

func TestFound(t *testing.T) {
	for _, test := range []struct{ query, text string }{
		{"hello", "Hello, world"},
		{"WORLD hello", "hello world"},
		{"wor", "hello world"},
		{"worl", "hello world"},
		{"world", "hello worldwide"},
		{"a", "a b"},
		{"ok", "OK!"},
		{"7", "bus 7"},
		{"cafe", "Café"},
		{"CAFÉ", "cafe\u0301 noir"},
		{"naive", "naïve"},
		{"strasse", "Straße"},
		{"STRASSE", "straße"},
		{"oslo kobenhavn", "Oslo, København"},
		{"lodz", "Łódź"},
		{"istanbul", "İSTANBUL"},
		{"ecole", "l'école"},
		{"can't", "can’t say"},
		{"example", "mail ada@example.org"},
		{"org", "https://example.org/a?b=1"},
		{"ελλαδα", "Ελλάδα"},
		{"σισυφος", "ΣΊΣΥΦΟΣ"},
		{"москва", "МОСКВА́"},
		{"елка", "ёлка"},
		{"שלום", "שָׁלוֹם"},
		{"كتاب", "كِتَابٌ"},
		{"سلام", "ســـلام"},
		{"123", "١٢٣"},
		{"fi", "ﬁ"},
		{"abc", "ＡＢＣ"},
		{"東", "東京タワー"},
		{"京", "東京タワー"},
		{"東京", "今日は東京に行く"},
		{"タワ", "東京タワー"},
		{"ガス", "ｶﾞｽ"},
		{"我们 你好", "你好，我们走吧"},
		{"กิน", "ฉันกินข้าว"},
		{"ข้าว", "ฉันกินข้าว"},
		{"학교", "학교에서"},
		{"교", "학교에서"},
		{"\u1112\u1161\u11a8교", "학교에서"}, // taken apart
		{"ភាសា", "ភាសាខ្មែរ"},
		{"नमस्ते", "नमस्ते दुनिया"},
		{"🎉", "well done 🎉🎉"},
		{"👍", "👍🏽"},
		{"🇩🇪", "to 🇩🇪 now"},
		{"iphone15", "my iPhone15"},
		{"zalgo", "z\u0335\u0321a\u0336l\u0301g\u0300o\u0301"},
		{"soft", "so\u00adft"},
		{"日本 go", "go 日本"},
	} {
		if !found(t, test.query, test.text) {
			t.Errorf("%q is not found in %q", test.query, test.text)
		}
	}
}

func TestNotFound(t *testing.T) {
	for _, test := range []struct{ query, text string }{
		{"orld", "hello world"},
		{"he", "hello"},
		{"hel ", "hello"},
		{"hello there", "hello world"},
		{"wor hello", "hello world"},
		{"京東", "東京"},
		{"東 京", "東"},
		{"東都", "東京都"},
		{"か", "が"},
		{"학교", "학 교"},
		{"", "hello"},
		{"...", "..."},
		{"\u0301", "é"},
		{"hello", ""},
	} {
		if found(t, test.query, test.text) {
			t.Errorf("%q is found in %q", test.query, test.text)
		}
	}
}

// Whatever stands between two boundaries of parts of a real text is found in it, in one character and in more.
func TestRealTexts(t *testing.T) {
	folder := os.Getenv("TEST_DATA")
	if folder == "" {
		t.Skip("TEST_DATA names no folder")
	}
	file, err := os.Open(filepath.Join(folder, "text", "tatoeba_multilingual.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	checked := 0
	for n := 0; lines.Scan(); n++ {
		_, text, _ := strings.Cut(lines.Text(), "\t")
		for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \u00a0\u3000,.!?、。，？！", r) }) {
			if words.Parse(word).IsEmpty() {
				continue
			}
			checked++
			if !found(t, strings.ToUpper(word), text) || !found(t, word, text) {
				t.Fatalf("%q is not found in %q", word, text)
			}
		}
	}
	if checked < 50_000 {
		t.Errorf("%d words", checked)
	}
}

func TestAnyText(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text, query := rapid.String().Draw(rt, "text"), rapid.String().Draw(rt, "query")
		terms := words.Terms(text)
		if len(terms) > words.MaxTerms {
			rt.Fatalf("%d terms", len(terms))
		}
		q := words.Parse(query)
		last := 0
		spans := q.Find(text + " " + query)
		if !q.IsEmpty() && len(spans) == 0 {
			rt.Fatalf("%q is not found in itself behind %q", query, text)
		}
		for _, s := range spans {
			if s.Start < last || s.End <= s.Start || !utf8.ValidString((text + " " + query)[s.Start:s.End]) {
				rt.Fatalf("spans %v", spans)
			}
			last = s.End
		}
		pieces := words.Excerpt(text+" "+query, spans, 5, 20)
		shown := 0
		for _, piece := range pieces {
			shown += utf8.RuneCountInString(piece.Text)
		}
		if shown > 22 {
			rt.Fatalf("%d characters: %v", shown, pieces)
		}
	})
}

func TestExcerpt(t *testing.T) {
	text := "The quick brown fox jumps over the lazy dog, and then the fox sleeps"
	spans := words.Parse("fox").Find(text)
	got := words.Excerpt(text, spans, 8, 30)
	want := []words.Piece{{Text: "…"}, {Text: "brown "}, {Text: "fox", Hit: true}, {Text: " jumps over the lazy "}, {Text: "…"}}
	if !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	got = words.Excerpt(text, spans, 1000, 1000)
	if len(got) != 5 || !got[1].Hit || !got[3].Hit || got[4].Text != " sleeps" {
		t.Errorf("%v", got)
	}
}

func TestNumbers(t *testing.T) {
	one, other := words.Key{1}, words.Key{2}
	terms := []string{"=a", "=b", "=a"}
	numbers := one.Numbers(terms)
	if numbers[0] != numbers[2] || numbers[0] == numbers[1] || numbers[0] == other.Numbers(terms)[0] || numbers[0] < 0 || numbers[0] >= 1<<40 {
		t.Errorf("%v", numbers)
	}
}

func BenchmarkTerms(b *testing.B) {
	for name, text := range map[string]string{"latin": "On my way, there in ten minutes", "chinese": "今天我们去东京看朋友", "long": strings.Repeat("the quick brown fox ", 250)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				(words.Key{}).Numbers(words.Terms(text))
			}
		})
	}
}
