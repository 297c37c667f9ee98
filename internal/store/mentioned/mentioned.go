// Package mentioned reads and writes whom a message mentions, as both databases keep it.
package mentioned

import (
	"slices"
	"strings"
)

// between stands between two ids of users, in none of which it is.
const between = ","

// Encode is what is kept of the people whom a message mentions: "" for nobody.
func Encode(userIDs []string) string { return strings.Join(userIDs, between) }

// Decode is what Encode was given.
func Decode(kept string) []string {
	if kept == "" {
		return nil
	}
	return strings.Split(kept, between)
}

// Counted are those of the people for whom a mention counts: all but the author.
func Counted(userIDs []string, author string) []string {
	return slices.DeleteFunc(slices.Clone(userIDs), func(userID string) bool { return userID == author })
}
