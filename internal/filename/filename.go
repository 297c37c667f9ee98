// Package filename makes of what somebody calls a file a name under which it can be saved anywhere, and which looks like what
// it is.
package filename

import (
	"path/filepath"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	// MaxBytes is how long a name is at most: some file systems take no more, and programs append something to it.
	MaxBytes = 200
	// maxMarks is how many combining marks stand on one letter at most: more would reach into other lines.
	maxMarks = 4
	// maxExtension is how long the end of a name is that is kept when it is cut.
	maxExtension = 20
	// nameless is the name of what has none.
	nameless = "file"
)

// reserved are names that Windows keeps for devices, whatever comes behind a dot
// (https://learn.microsoft.com/windows/win32/fileio/naming-a-file).
var reserved = regexp.MustCompile(`(?i)^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])[ ]*(\.|$)`)

// Clean returns the name, which is never empty: without folders, without control characters and what changes the direction of
// text or cannot be seen, without characters that file systems have for themselves, and not one of a device.
func Clean(name string) string {
	name = strings.ToValidUTF8(name, "_")
	if at := strings.LastIndexAny(name, `/\`); at >= 0 {
		name = name[at+1:]
	}
	name = trim(strings.Map(inNames, norm.NFC.String(name)))
	name = shorten(withoutMarks(name))
	if reserved.MatchString(name) {
		name = "_" + name
	}
	if name == "" {
		return nameless
	}
	return name
}

// inNames is what stands for a character, -1 where nothing does. The joiners within words and emoji are kept.
func inNames(r rune) rune {
	const nonJoiner, joiner = '\u200c', '\u200d'
	switch {
	case r == nonJoiner || r == joiner:
		return r
	case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp):
		return -1
	case unicode.IsSpace(r):
		return ' '
	case strings.ContainsRune(`<>:"|?*`, r), r == utf8.RuneError:
		return '_'
	default:
		return r
	}
}

// trim takes off what Windows does not have at the end of a name, and white space and joiners at both ends.
func trim(name string) string {
	const joiners = "\u200c\u200d"
	return strings.TrimRight(strings.TrimLeft(name, " "+joiners), ". "+joiners)
}

// withoutMarks leaves as many marks on a letter as can be read.
func withoutMarks(name string) string {
	marks := 0
	return strings.Map(func(r rune) rune {
		if !unicode.In(r, unicode.Mn, unicode.Me) {
			marks = 0
			return r
		}
		if marks++; marks > maxMarks {
			return -1
		}
		return r
	}, name)
}

// shorten cuts a name before its extension.
func shorten(name string) string {
	if len(name) <= MaxBytes {
		return name
	}
	extension := filepath.Ext(name)
	if len(extension) > maxExtension || strings.Contains(extension, " ") {
		extension = ""
	}
	end := MaxBytes - len(extension)
	for !utf8.RuneStart(name[end]) {
		end--
	}
	return trim(trim(name[:end]) + extension)
}
