// Package blocks keeps whom people want to have nothing to do with.
package blocks

import (
	"context"

	"rolecall/internal/instant"
)

// Block is that somebody has blocked another.
type Block struct {
	UserID string        `json:"userId"`
	At     instant.Stamp `json:"blockedAt"`
}

// Store keeps blocks. What is written to a direct room of two people is held against them in its own transaction.
type Store interface {
	// Block has a person block another, unless they do so already or have blocked as many as most. It returns the block that holds
	// from then on; made is false where it did before, and full is true, with no block, where it cannot be made.
	Block(ctx context.Context, userID string, block Block, most int) (holds Block, made, full bool, err error)
	// Unblock ends a block; was is false where there is none.
	Unblock(ctx context.Context, userID, blockedID string) (was bool, err error)
	// Blocked returns whom a person has blocked behind a user id ("" for all), in the order of user id, at most limit.
	Blocked(ctx context.Context, userID, after string, limit int) ([]Block, error)
	// Between reports whether a person has blocked another, and the other them.
	Between(ctx context.Context, userID, other string) (blocks, isBlocked bool, err error)
	// BlockedBy returns whom each of the people has blocked, without those who have blocked nobody.
	BlockedBy(ctx context.Context, userIDs []string) (map[string][]string, error)
	// BlockersOf returns who has blocked a person, and since when, in Unix milliseconds.
	BlockersOf(ctx context.Context, userID string) (map[string]int64, error)
}
