package filename_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"rolecall/internal/filename"
)

func TestClean(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"slip 7.png":                      "slip 7.png",
		"übersicht (final).pdf":           "übersicht (final).pdf",
		"配送 伝票.jpg":                       "配送 伝票.jpg",
		"عقد.docx":                        "عقد.docx",
		"../../etc/passwd":                "passwd",
		`C:\Users\me\photo.jpg`:           "photo.jpg",
		"folder/":                         "file",
		"":                                "file",
		" \t\u200b":                       "file",
		".":                               "file",
		"..":                              "file",
		"...":                             "file",
		".htaccess":                       ".htaccess",
		"nul\x00byte.txt":                 "nulbyte.txt",
		"a\r\nSet-Cookie: x.txt":          "aSet-Cookie_ x.txt",
		"evil\u202egpj.exe":               "evilgpj.exe",
		"\u2066a\u2069\u200e\u061c.txt":   "a.txt",
		"con":                             "_con",
		"CON.txt":                         "_CON.txt",
		"Lpt1 .log":                       "_Lpt1 .log",
		"com\u00b9.x":                     "_com\u00b9.x",
		"console.txt":                     "console.txt",
		"conout$":                         "_conout$",
		"trailing dots. . .":              "trailing dots",
		`a<b>c:d"e|f?g*h`:                 "a_b_c_d_e_f_g_h",
		"bad \xff utf8":                   "bad _ utf8",
		"👩\u200d🚀.png":                    "👩\u200d🚀.png",
		"e\u0301.txt":                     "é.txt",
		"line\u2028break":                 "linebreak",
		"a" + strings.Repeat("\u0337", 9): "a" + strings.Repeat("\u0337", 4),
	} {
		if got := filename.Clean(given); got != want {
			t.Errorf("%q is %q, want %q", given, got, want)
		}
	}
}

func TestCleanIsShort(t *testing.T) {
	t.Parallel()
	for _, long := range []string{
		strings.Repeat("x", 300) + ".jpeg", strings.Repeat("é", 300) + ".pdf", strings.Repeat("𝄞", 100),
		"a." + strings.Repeat("b", 300), strings.Repeat("a.", 300), strings.Repeat("e\u0301\u0302\u0337", 5000) + ".png",
	} {
		name := filename.Clean(long)
		if len(name) > filename.MaxBytes || len(name) < filename.MaxBytes/2 || !utf8.ValidString(name) {
			t.Errorf("%.20q… is %d bytes: %q", long, len(name), name)
		}
		if strings.HasSuffix(long, ".jpeg") && !strings.HasSuffix(name, ".jpeg") {
			t.Errorf("%.20q… has lost its extension: %q", long, name)
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, seed := range []string{"a.txt", "..", "con", "\xff/", "\u202e\x00", strings.Repeat("\u0337", 400)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, given string) {
		name := filename.Clean(given)
		if name == "" || len(name) > filename.MaxBytes+1 || !utf8.ValidString(name) || strings.ContainsAny(name, "/\\\x00\r\n\u202e") {
			t.Errorf("%q is %q", given, name)
		}
		if again := filename.Clean(name); again != name {
			t.Errorf("%q is %q, and that %q", given, name, again)
		}
	})
}
