package postgres

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Unusable is the failure of what needs a database that cannot be reached, or takes no writes.
type Unusable struct {
	// Sentence says to a person what the matter is, without anything that is the operator's alone to know.
	Sentence string

	cause error
}

// Error implements error.
func (u *Unusable) Error() string { return "nothing is stored: " + u.Sentence + ": " + u.cause.Error() }

// Unwrap returns the cause.
func (u *Unusable) Unwrap() error { return u.cause }

// trouble is why the database is not written to. All of it may pass.
type trouble int

const (
	// unreachable: the server is not there, is starting or stopping, has no connection left, or does not answer.
	unreachable trouble = iota + 1
	// full and readOnly: it can be read.
	full
	readOnly
)

func (t trouble) sentence() string {
	switch t {
	case full:
		return "The disk of the database is full"
	case readOnly:
		return "The database cannot be written, it is read-only"
	default:
		return "The database cannot be reached"
	}
}

// advice says to an operator what to do.
func (t trouble) advice() string {
	switch t {
	case full:
		return "make room on the disk of the PostgreSQL server; this one then goes on by itself"
	case readOnly:
		return "have the URL lead to the primary (target_session_attrs=read-write), or make the database writable"
	default:
		return "look at the PostgreSQL server and the way to it; this one goes on by itself when it is back"
	}
}

// errReadOnly is the failure of Ping where nothing can be written.
var errReadOnly = errors.New("transactions are read-only")

// troubleOf is what an error says of the database; false for errors that say nothing of it. The codes are those of
// https://www.postgresql.org/docs/current/errcodes-appendix.html.
func troubleOf(err error) (what trouble, known bool) {
	const codeReadOnly, codeFull = "25006", "53100"
	var refused *pgconn.PgError
	switch {
	case errors.Is(err, errReadOnly) || errors.As(err, &refused) && refused.Code == codeReadOnly:
		return readOnly, true
	case errors.As(err, &refused) && refused.Code == codeFull:
		return full, true
	case isLost(err):
		return unreachable, true
	}
	return 0, false
}

// isLost reports whether an error is that of a connection which could not be made, or is over.
func isLost(err error) bool {
	if err == nil {
		return false
	}
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		switch refused.Code {
		case "57P01", "57P02", "57P03", "57P05", "53300": // shutdowns, starting up, idle for too long, too many connections
			return true
		}
		return strings.HasPrefix(refused.Code, "08") // connection exceptions
	}
	var connecting *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connecting) || errors.As(err, &network) || pgconn.Timeout(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, pgconn.ErrConnClosed) ||
		pgconn.SafeToRetry(err)
}

const (
	// refusedFor is how long after a refused write, and no other since, the database counts as one that takes none.
	refusedFor = 10 * time.Second
	// resetEvery bounds how often all connections are given up.
	resetEvery = time.Second
)

// health is what is known of the database from what became of the last reads and writes.
type health struct {
	log   *slog.Logger
	reset func() // gives up all connections, which are made anew
	now   func() time.Time

	troubled atomic.Bool // there is something that a success may end

	mu    sync.Mutex
	what  trouble // 0 for none
	cause error
	noted time.Time
	fresh time.Time // when reset was called
}

// note takes account of an operation's outcome, a write's or a read's, and returns the error for its caller: an Unusable where
// it is the database's. Each change of the state is a line in the log. Where ctx, the caller's, has ended the error says
// nothing.
func (h *health) note(ctx context.Context, err error, wrote bool) error {
	what, known := troubleOf(err)
	switch {
	case err == nil:
		if h.troubled.Load() {
			h.passed(ctx, wrote)
		}
		return nil
	case !known || isOver(ctx):
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now()
	if h.what != what {
		h.log.ErrorContext(ctx, "nothing is stored any more: "+what.sentence(), "error", err, "todo", what.advice())
	}
	h.what, h.cause, h.noted = what, err, now
	h.troubled.Store(true)
	if what != full && now.Sub(h.fresh) >= resetEvery { // there may be another server at the address
		h.fresh = now
		h.reset()
	}
	return &Unusable{Sentence: what.sentence(), cause: err}
}

// isOver reports whether a context has ended, or is about to: its timer is another one than that of the operation.
func isOver(ctx context.Context) bool {
	deadline, some := ctx.Deadline()
	return ctx.Err() != nil || some && !time.Now().Before(deadline)
}

// passed ends trouble. What can be read may not be writable.
func (h *health) passed(ctx context.Context, wrote bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.what == 0 || !wrote && h.what != unreachable && h.now().Sub(h.noted) < refusedFor {
		return
	}
	h.log.WarnContext(ctx, "the database is used again", "after", h.what.sentence())
	h.what, h.cause = 0, nil
	h.troubled.Store(false)
}

// refused fails with an Unusable where a write was refused a moment ago by a database that can be read.
func (h *health) refused() error {
	if !h.troubled.Load() {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.what == 0 || h.what == unreachable || h.now().Sub(h.noted) >= refusedFor {
		return nil
	}
	return &Unusable{Sentence: h.what.sentence(), cause: h.cause}
}
