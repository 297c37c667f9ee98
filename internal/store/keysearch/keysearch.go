// Package keysearch goes through the keys by which people are found, whichever database has them.
package keysearch

import (
	"context"
	"strings"

	"rolecall/internal/services/people"
)

const (
	// maxLooked bounds how many keys one search looks at, of people who are not asked for or have been found before.
	maxLooked = 500
	// minLook is how many keys are looked at together, at least.
	minLook = 64
	// placeSeparator stands between key and user id of a place. No user id holds it.
	placeSeparator = "\x00"
	// beyond sorts behind whatever a key goes on with: no character begins with this byte.
	beyond = "\xff"
)

// Keyed is somebody, and one of the keys by which they are found.
type Keyed struct {
	Key string
	people.User
}

func (k *Keyed) place() string { return k.Key + placeSeparator + k.UserID }

// isWanted reports whether the person is asked for, and met for the first time.
func (k *Keyed) isWanted(query people.UserQuery, asked string) bool {
	return (query.Role == "" || query.Role == k.Role) && (query.CompanyID == "" || query.CompanyID == k.CompanyID) &&
		people.FirstKey(people.SearchKeys(k.UserID, k.Username), asked) == k.Key
}

// Span is the keys from From on and before Before, behind those of a key and user id, at most Limit.
type Span struct {
	From, Before        string
	AfterKey, AfterUser string
	Limit               int
	// Sight leaves out the keys of people beyond it, where it is not nil.
	Sight *people.Sight
}

// Look reads a span, in the order of key and user id by their bytes.
type Look func(ctx context.Context, span Span) ([]Keyed, error)

// Search is that of people.Store. It costs what maxLooked keys cost at most.
func Search(ctx context.Context, look Look, query people.UserQuery, after string, limit int) ([]people.Found, string, error) {
	asked := people.SearchKey(query.Text)
	found := []people.Found{}
	for looked := 0; len(found) < limit; {
		size := min(max(limit-len(found), minLook), maxLooked-looked)
		if size <= 0 {
			return found, after, nil
		}
		keys, err := look(ctx, spanOf(query, asked, after, size))
		if err != nil {
			return nil, "", err
		}
		looked += len(keys)
		for i := range keys {
			after = keys[i].place()
			if !keys[i].isWanted(query, asked) {
				continue
			}
			if found = append(found, people.Found{User: keys[i].User, Place: after}); len(found) == limit {
				return found, after, nil
			}
		}
		if len(keys) < size {
			return found, "", nil
		}
	}
	return found, "", nil
}

func spanOf(query people.UserQuery, asked, after string, limit int) Span {
	at := strings.LastIndex(after, placeSeparator) // a key may hold one
	return Span{From: asked, Before: asked + beyond, AfterKey: after[:max(at, 0)], AfterUser: after[at+1:], Limit: limit, Sight: query.Sight}
}
