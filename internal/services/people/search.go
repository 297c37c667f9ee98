package people

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"rolecall/internal/text"
)

const (
	// maxNameKeys and maxIDKeys bound by how many places of a name and of an id a person is found.
	maxNameKeys = 16
	maxIDKeys   = 8
	// maxKey is how much of a name is looked at from such a place, in bytes.
	maxKey = 64
	// maxPlainID is from which length on an id is taken for a random one, of which nobody knows a part by heart.
	maxPlainID = 32
)

// SearchKey is the form in which a text is searched for: a person is found where one of their SearchKeys begins with it.
func SearchKey(asked string) string { return cut(text.Fold(text.Trim(asked))) }

// SearchKeys are what a person is found by: the name from its beginning and from each of its words on, and the id
// likewise, in the form in which texts are compared that a reader takes for the same. A word begins at a letter, digit or
// symbol behind none, at digits behind letters, and at every letter of a script that is written without spaces. The keys
// are sorted, and each is there once.
func SearchKeys(userID, username string) []string {
	keys := keysFrom(text.Fold(text.Trim(username)), maxNameKeys, beginsWord)
	partOfID := beginsWord
	if len(userID) > maxPlainID {
		partOfID = func(before, r rune) bool { return isWord(r) && !isWord(before) }
	}
	keys = append(keys, keysFrom(text.Fold(userID), maxIDKeys, partOfID)...)
	slices.Sort(keys)
	return slices.Compact(keys)
}

func keysFrom(folded string, most int, begins func(before, r rune) bool) []string {
	if folded == "" {
		return nil
	}
	keys := []string{cut(folded)}
	before := ' '
	for at, r := range folded {
		if len(keys) == most {
			break
		}
		if at > 0 && begins(before, r) {
			keys = append(keys, cut(folded[at:]))
		}
		before = r
	}
	return keys
}

func beginsWord(before, r rune) bool {
	switch {
	case unicode.IsMark(r):
		return false
	case unicode.IsSymbol(r):
		return true
	case !isWord(r):
		return false
	default:
		return !isWord(before) || unicode.IsDigit(r) && !unicode.IsDigit(before) || unspaced(r)
	}
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r) }

// unspaced reports whether r belongs to a script that is written without spaces between words.
func unspaced(r rune) bool {
	return unicode.IsLetter(r) &&
		unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

// cut shortens a key to its bound, whole characters only.
func cut(key string) string {
	if len(key) <= maxKey {
		return key
	}
	end := maxKey
	for end > 0 && !utf8.RuneStart(key[end]) {
		end--
	}
	return key[:end]
}

// FirstKey returns the first of a person's keys that begin with what is asked for, "" where none does. A search that goes
// through the keys in order meets a person there first.
func FirstKey(keys []string, asked string) string {
	at, _ := slices.BinarySearch(keys, asked)
	if at < len(keys) && strings.HasPrefix(keys[at], asked) {
		return keys[at]
	}
	return ""
}
