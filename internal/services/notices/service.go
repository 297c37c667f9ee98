package notices

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/google/uuid"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/instant"
	"rolecall/internal/page"
	"rolecall/internal/roles"
)

// The events that an audience hears.
const (
	EventNotice  = "system:notice"
	EventRetract = "system:retract"
	EventInbox   = "system:inbox"
)

const (
	// idempotencyWindow is how long an Idempotency-Key is remembered.
	idempotencyWindow = 24 * time.Hour
	// maxData bounds a notice's data, in bytes of JSON.
	maxData = 16 << 10
	// DefaultPage is how many notices a page has where no number is asked for.
	DefaultPage = 50
	// MaxPage is the most notices a page has.
	MaxPage = 200
	// MaxIdempotencyKey is the longest Idempotency-Key, in bytes.
	MaxIdempotencyKey = 255
)

// Emitter sends an event to every socket in any of the rooms, once each.
type Emitter interface {
	Emit(ctx context.Context, event string, payload any, to []roles.Room, except ...roles.Room)
}

// Service takes notices, delivers them and keeps inboxes.
type Service struct {
	store Store
	emit  Emitter
	now   func() time.Time
	log   *slog.Logger

	// telling is held while a notice is stored or retracted and told, and shared by greetings, so that an inbox on
	// connection is neither older nor newer than what the socket has heard before it.
	telling sync.RWMutex
}

// New returns a Service; a nil now is the clock.
func New(store Store, emit Emitter, now func() time.Time, log *slog.Logger) *Service {
	if now == nil {
		now = time.Now
	}
	return &Service{store: store, emit: emit, now: now, log: log}
}

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
		Audience: draft.Audience, Data: draft.Data, CreatedAt: now.UnixMilli(), ExpiresAt: draft.ExpiresAt.Millis,
		RequireAck: draft.RequireAck, From: Sender{UserID: who.UserID, Username: who.Username},
	}
	if notice.Severity == "" {
		notice.Severity = Info
	}
	rooms := notice.Audience.Rooms()
	s.telling.Lock()
	defer s.telling.Unlock()
	stored, replayed, err := s.store.CreateNotice(ctx, Addressed{Notice: notice, Rooms: rooms}, once)
	if err != nil {
		return Notice{}, false, keyFault(err)
	}
	if !replayed {
		s.emit.Emit(ctx, EventNotice, stored, rooms)
	}
	return stored, replayed, nil
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

func (d *Draft) check() error {
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

// List returns a page of all notices, newest first, and the cursor of the next page or "".
func (s *Service) List(ctx context.Context, who auth.Identity, at page.Request) (list []Notice, next string, err error) {
	if !who.Can(roles.Broadcast) {
		return nil, "", fault.New(fault.Forbidden, "Only admins list notices")
	}
	before := int64(math.MaxInt64)
	if err := page.Notices.ParseNumbers(at.Cursor, &before); err != nil {
		return nil, "", err
	}
	size := page.Size(at.Limit, DefaultPage, MaxPage)
	stored, err := s.store.Notices(ctx, before, size+1)
	if err != nil {
		return nil, "", err
	}
	stored, next = page.Cut(stored, size, func(last Stored) string { return page.Notices.Numbers(last.Seq) })
	list = make([]Notice, 0, len(stored))
	for i := range stored {
		list = append(list, stored[i].Notice)
	}
	return list, next, nil
}

// Get returns one notice.
func (s *Service) Get(ctx context.Context, who auth.Identity, id string) (Notice, error) {
	if !who.Can(roles.Broadcast) {
		return Notice{}, fault.New(fault.Forbidden, "Only admins read notices by id")
	}
	notice, found, err := s.store.NoticeByID(ctx, id)
	switch {
	case err != nil:
		return Notice{}, err
	case !found:
		return Notice{}, unknownNotice()
	}
	return notice.Notice, nil
}

type retractEvent struct {
	ID string `json:"id"`
}

// Retract takes a notice back from every inbox and screen.
func (s *Service) Retract(ctx context.Context, who auth.Identity, id string) error {
	if !who.Can(roles.Broadcast) {
		return fault.New(fault.Forbidden, "Only admins retract notices")
	}
	notice, found, err := s.store.NoticeByID(ctx, id)
	if err != nil {
		return err
	}
	if !found {
		return unknownNotice()
	}
	s.telling.Lock()
	defer s.telling.Unlock()
	done, err := s.store.RetractNotice(ctx, id, s.now().UnixMilli())
	switch {
	case err != nil:
		return err
	case !done:
		return unknownNotice()
	}
	s.emit.Emit(ctx, EventRetract, retractEvent{ID: id}, notice.Rooms)
	return nil
}

func unknownNotice() error { return fault.New(fault.NotFound, "There is no such notice") }

// InboxQuery asks for a page of the caller's unread notices.
type InboxQuery struct {
	// Before is the id of the last notice of the previous page: the next page goes on behind it.
	Before string `json:"before" validate:"max=64"`
	Limit  int    `json:"limit" validate:"min=0,max=200"`
}

// Inbox is what a person has not read and what has not expired, oldest first.
type Inbox struct {
	// Unread counts all of it, on this page or not.
	Unread  int      `json:"unread"`
	Notices []Notice `json:"notices"`
	// HasMore tells that further unread notices lie behind this page.
	HasMore bool `json:"-"`
}

// Inbox returns a page of the caller's unread notices.
func (s *Service) Inbox(ctx context.Context, who auth.Identity, query InboxQuery) (Inbox, error) {
	if !who.Can(roles.ReadInbox) {
		return Inbox{}, fault.New(fault.Forbidden, "This role has no inbox")
	}
	size := page.Size(query.Limit, DefaultPage, MaxPage)
	notices, unread, err := s.store.Inbox(ctx, reader(who), s.now().UnixMilli(), query.Before, size+1)
	switch {
	case errors.Is(err, ErrNoSuchNotice):
		return Inbox{}, fault.Invalid("before", "There is no notice of this id to go on behind")
	case err != nil:
		return Inbox{}, err
	}
	inbox := Inbox{Unread: unread, Notices: notices}
	if len(notices) > size {
		inbox.Notices, inbox.HasMore = notices[:size], true
	}
	return inbox, nil
}

// Greet hands a caller's inbox to send. Whatever send emits comes behind every notice and retraction that the inbox takes
// account of, and before every later one.
func (s *Service) Greet(ctx context.Context, who auth.Identity, send func(Inbox) error) error {
	s.telling.RLock()
	defer s.telling.RUnlock()
	inbox, err := s.Inbox(ctx, who, InboxQuery{})
	if err != nil {
		return err
	}
	return send(inbox)
}

// MarkRead marks notices of the caller's inbox as read and returns how many stay unread. It fails with not_found where
// none of the ids is a notice addressed to the caller, and with conflict where more than MaxReadAhead notices would be
// read beyond the oldest unread one.
func (s *Service) MarkRead(ctx context.Context, who auth.Identity, ids []string) (unread int, err error) {
	if !who.Can(roles.ReadInbox) {
		return 0, fault.New(fault.Forbidden, "This role has no inbox")
	}
	matched, unread, err := s.store.MarkNoticesRead(ctx, reader(who), s.now().UnixMilli(), ids)
	switch {
	case errors.Is(err, ErrTooFarAhead):
		return 0, fault.New(fault.Conflict, "Too many notices are read beyond the oldest unread one: read that first")
	case err != nil:
		return 0, err
	case matched == 0:
		return 0, unknownNotice()
	}
	return unread, nil
}

func reader(who auth.Identity) Reader {
	return Reader{UserID: who.UserID, Rooms: who.Rooms()}
}
