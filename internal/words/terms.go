package words

import "unicode/utf8"

const (
	// MaxTerms bounds the terms of a text: what is found of one are its first words. A text of 5,000 characters has about 800.
	MaxTerms = 1000
	// shortBeginning and longBeginning are how many characters the beginnings of words have by which they are found.
	shortBeginning = 3
	longBeginning  = 5
)

// Version is that of what Terms makes of texts: an index that another version has made is made anew.
const Version = 1

// Terms of an index. Their first byte tells of what kind they are.
func whole(word string) string       { return "=" + word }
func beginning(word string) string   { return "^" + word }
func one(character string) string    { return "." + character }
func pair(first, then string) string { return ":" + first + "\x00" + then }

// Sender is the term of what a person has said.
func Sender(userID string) string { return "@" + userID }

// Addressee is the term of what is said in the direct rooms of a person.
func Addressee(userID string) string { return "%" + userID }

func first(word string, n int) string { return word[:runesEnd(word, n)] }

// runesEnd is where the first n characters of a word end, or the word where it has fewer.
func runesEnd(word string, n int) int {
	end := 0
	for range n {
		if end == len(word) {
			break
		}
		_, size := utf8.DecodeRuneInString(word[end:])
		end += size
	}
	return end
}

// Terms are those under which a text is found, each once, and at most MaxTerms.
func Terms(text string) []string {
	var all []string
	seen := make(map[string]struct{})
	add := func(term string) {
		if _, again := seen[term]; !again && len(all) < MaxTerms {
			seen[term] = struct{}{}
			all = append(all, term)
		}
	}
	before := ""
	partsOf(text, func(p part) bool {
		if p.single {
			add(one(p.folded))
			if p.joined {
				add(pair(before, p.folded))
			}
			before = p.folded
			return len(all) < MaxTerms
		}
		add(whole(p.folded))
		if n := utf8.RuneCountInString(p.folded); n >= longBeginning {
			add(beginning(first(p.folded, shortBeginning)))
			add(beginning(first(p.folded, longBeginning)))
		} else if n >= shortBeginning {
			add(beginning(first(p.folded, shortBeginning)))
		}
		return len(all) < MaxTerms
	})
	return all
}
