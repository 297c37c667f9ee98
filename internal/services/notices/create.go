package notices

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"

	"rolecall/internal/audit"
	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/instant"
	"rolecall/internal/roles"
	"rolecall/internal/text"
)

const (
	// idempotencyWindow is how long an Idempotency-Key is remembered.
	idempotencyWindow = 24 * time.Hour
	// maxData bounds a notice's data, in bytes of JSON.
	maxData = 16 << 10
	// latestExpiry is the last moment that RFC 3339, whose years have four digits, can tell, in Unix milliseconds.
	latestExpiry = 253_402_300_799_999
	// MaxIdempotencyKey is the longest Idempotency-Key, in bytes.
	MaxIdempotencyKey = 255
)

// Draft is a notice as its sender asks for it.
type Draft struct {
	Title      string          `json:"title" validate:"required,max=200"`
	Body       string          `json:"body" validate:"max=5000"`
	Severity   Severity        `json:"severity" validate:"omitempty,oneof=info success warning critical"`
	Audience   Audience        `json:"audience"`
	Data       json.RawMessage `json:"data"`
	ExpiresAt  instant.Instant `json:"expiresAt"`
	RequireAck bool            `json:"requireAck"`
}

// Create stores a notice and delivers it to those online. Sent again under the same idempotency key within 24 hours it
// returns the first notice with replayed set and delivers nothing; a key used for another request is a conflict.
func (s *Service) Create(ctx context.Context, who auth.Identity, draft Draft, key string) (n Notice, replayed bool, err error) {
	if !who.Can(roles.Broadcast) {
		return Notice{}, false, fault.New(fault.Forbidden, "Only admins send notices")
	}
	now := s.now()
	if err := draft.check(); err != nil {
		return Notice{}, false, err
	}
	once, err := idempotency(who, draft, key, now)
	if err != nil {
		return Notice{}, false, err
	}
	if draft.expired(now) {
		return s.replayExpired(ctx, once)
	}
	notice := Notice{
		ID: uuid.Must(uuid.NewV7()).String(), Title: draft.Title, Body: draft.Body, Severity: draft.Severity,
		Audience: draft.Audience, Data: draft.Data,
		CreatedAt: instant.Stamp(now.UnixMilli()), ExpiresAt: instant.Stamp(draft.ExpiresAt.Millis),
		RequireAck: draft.RequireAck, From: Sender{UserID: who.UserID, Username: who.Username},
	}
	if notice.Severity == "" {
		notice.Severity = Info
	}
	changed, err := s.change(ctx, Change{
		Create: &Addressed{Notice: notice, Rooms: notice.Audience.Rooms()}, Once: once,
		Line: lineOf(who, audit.BroadcastNotice, notice.ID, notice.Title, now),
	})
	if err != nil {
		return Notice{}, false, keyFault(err)
	}
	return changed.Notice, changed.Replayed, nil
}

// lineOf is what is written down of what somebody does to a notice.
func lineOf(who auth.Identity, action audit.Action, noticeID, detail string, at time.Time) audit.Line {
	return audit.Line{
		At: instant.Stamp(at.UnixMilli()), Actor: audit.Actor{UserID: who.UserID, Username: who.Username},
		Action: action, Target: noticeID, Detail: detail,
	}
}

// replayExpired answers a request whose notice would have expired by now: as before if it was made before, else not.
func (s *Service) replayExpired(ctx context.Context, once Idempotency) (Notice, bool, error) {
	if once.Key != "" {
		first, found, err := s.store.ReplayNotice(ctx, once)
		if err != nil || found {
			return first, found, keyFault(err)
		}
	}
	return Notice{}, false, fault.Invalid("expiresAt", "expiresAt lies in the past")
}

func keyFault(err error) error {
	if errors.Is(err, ErrKeyReused) {
		return fault.New(fault.Conflict, "The key of the request was used for another one")
	}
	return err
}

// expired reports whether the notice would never be seen.
func (d *Draft) expired(now time.Time) bool {
	return d.ExpiresAt.Set && d.ExpiresAt.Millis <= now.UnixMilli()
}

// check trims the texts and finds what the tags of the draft cannot tell. A notice without a body, or with a blank one,
// says all in its title.
func (d *Draft) check() error {
	d.Title, d.Body = text.Trim(d.Title), text.Trim(d.Body)
	if text.IsBlank(d.Body) {
		d.Body = ""
	}
	if text.IsBlank(d.Title) {
		return fault.Invalid("title", "title must not be blank")
	}
	if d.ExpiresAt.Millis > latestExpiry {
		return fault.Invalid("expiresAt", "expiresAt lies beyond the year 9999")
	}
	if len(d.Audience.Rooms()) == 0 {
		return fault.Invalid("audience", "The audience is empty: name all, roles, users, companies or companyRoles")
	}
	if string(d.Data) == "null" {
		d.Data = nil
	}
	switch {
	case len(d.Data) > maxData:
		return &fault.Error{Code: fault.TooLarge, Field: "data", Message: "data is larger than 16 KiB"}
	case len(d.Data) > 0 && d.Data[0] != '{':
		return fault.Invalid("data", "data must be a JSON object")
	}
	return nil
}

func idempotency(who auth.Identity, draft Draft, key string, now time.Time) (Idempotency, error) {
	if key == "" {
		return Idempotency{}, nil
	}
	if len(key) > MaxIdempotencyKey {
		return Idempotency{}, fault.Invalid("clientId", "The key of the request is longer than 255 bytes")
	}
	canonical, err := json.Marshal(draft)
	if err != nil {
		return Idempotency{}, fault.Down(err)
	}
	digest := sha256.Sum256(canonical)
	return Idempotency{
		UserID: who.UserID, Key: key, Digest: hex.EncodeToString(digest[:]),
		Since: now.Add(-idempotencyWindow).UnixMilli(),
	}, nil
}
