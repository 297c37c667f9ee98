package administration

import (
	"context"

	"rolecall/internal/audit"
	"rolecall/internal/auth"
)

// Store keeps what was revoked, and what admins do.
type Store interface {
	// Record writes a line and returns it with its number. Where the line's actor has sent the same request under the same
	// key before, no longer ago than since, in Unix milliseconds, it writes nothing and returns the line of then with
	// replayed set. It fails with audit.ErrKeyReused where the key was used for another request.
	Record(ctx context.Context, line audit.Line, since int64) (written audit.Line, replayed bool, err error)
	// Revoke is Record for a line that revokes the tokens of its target which were issued up to its time. Both are kept, or
	// neither. A revocation never moves back.
	Revoke(ctx context.Context, line audit.Line, since int64) (written audit.Line, replayed bool, err error)
	// Revocations returns those since a moment, in Unix milliseconds, that one included: one a user, the latest.
	Revocations(ctx context.Context, since int64) ([]auth.Revocation, error)
	// DeleteRevocationsBefore deletes some of those older than a moment, in Unix milliseconds, and returns how many; 0 once
	// none is left.
	DeleteRevocationsBefore(ctx context.Context, before int64) (int, error)
	// Lines returns the lines of a query, newest first.
	Lines(ctx context.Context, query audit.Query) ([]audit.Line, error)
	// DeleteLinesBefore deletes some of those older than a moment, in Unix milliseconds, and returns how many; 0 once none is
	// left. No other way leads to the deletion or the change of a line.
	DeleteLinesBefore(ctx context.Context, before int64) (int, error)
}
