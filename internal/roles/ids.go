package roles

import "strings"

// MaxUserID is the longest user or company id, in bytes.
const MaxUserID = 128

// UserIDForm says in words what ValidUserID asks for.
const UserIDForm = "1 to 128 of A-Z a-z 0-9 . _ @ + - ~ = |"

// ValidUserID reports whether id has the form of user and company ids: 1 to MaxUserID letters, digits and any of
// . _ @ + - ~ = and the vertical bar, so that the ids which identity providers give fit as they are. An id never holds
// a colon or a slash, which separate ids in the names of rooms and in addresses.
func ValidUserID(id string) bool {
	return wellFormed(id, MaxUserID, "._@+-~=|")
}

// wellFormed reports whether id is 1 to most letters, digits and marks.
func wellFormed(id string, most int, marks string) bool {
	if id == "" || len(id) > most {
		return false
	}
	for i := range len(id) {
		if !alphanumeric(id[i]) && strings.IndexByte(marks, id[i]) < 0 {
			return false
		}
	}
	return true
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
