package auth

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
)

const (
	// logPeriod is how long a check goes on being counted, and logPerPeriod how many of its refusals get a line of their own
	// in that time: one kind of refusal, sent without end, leaves room for the others.
	logPeriod    = time.Minute
	logPerPeriod = 20
	// maxShown bounds, in bytes, what of a token's own words comes into the log.
	maxShown = 200
)

// refusalLog tells of refused tokens, a line each as long as there are not too many.
type refusalLog struct {
	log *slog.Logger

	mu sync.Mutex
	// counts has an entry for each check that has failed lately; the checks are a handful.
	counts map[string]int
	// end closes the period, nil where none has begun.
	end    *time.Timer
	closed bool
}

// newRefusalLog returns a log that tells the rest when ctx ends.
func newRefusalLog(ctx context.Context, log *slog.Logger) *refusalLog {
	l := &refusalLog{log: log, counts: make(map[string]int)}
	context.AfterFunc(ctx, l.close)
	return l
}

// tell logs which check a token has failed and whose it claims to be, which claimed finds out; never the token.
func (l *refusalLog) tell(ctx context.Context, err error, claimed func() string) {
	check, reason := "token", err.Error()
	var refused *refusal
	if errors.As(err, &refused) {
		check, reason = refused.check, refused.cause.Error()
	}
	if l.count(check) {
		l.log.InfoContext(ctx, "token refused", "check", check, "reason", printable(reason), "claims_to_be", claimed())
	}
}

// Tell logs, like a refused token, that a door has found none where one belongs. Who sent nothing at all is not told of.
func (v *Verifier) Tell(ctx context.Context, err error) {
	if !errors.Is(err, ErrRequired) {
		v.log.tell(ctx, err, func() string { return nobody })
	}
}

// count reports whether a refusal gets a line of its own.
func (l *refusalLog) count(check string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return true
	}
	if l.end == nil {
		l.end = time.AfterFunc(logPeriod, l.period)
	}
	l.counts[check]++
	return l.counts[check] <= logPerPeriod
}

// period begins to count anew, and tells what had no line of its own.
func (l *refusalLog) period() {
	l.mu.Lock()
	counts := l.counts
	l.counts, l.end = make(map[string]int), nil
	l.mu.Unlock()
	for check, count := range counts {
		if count > logPerPeriod {
			l.log.Info("more tokens refused", "check", check, "count", count-logPerPeriod, "within", logPeriod)
		}
	}
}

func (l *refusalLog) close() {
	l.mu.Lock()
	l.closed = true
	if l.end != nil {
		l.end.Stop()
	}
	l.mu.Unlock()
	l.period()
}

// claimed is whom a token that is not believed says it is of, for the log: what it has for an id, whatever it is.
func (v *Verifier) claimed(token string) string {
	opened, _ := open(token) // as far as it can be taken apart
	var claims members
	if json.Unmarshal(opened.claims, &claims) != nil {
		return nobody
	}
	found, _ := v.mapping.User.find(claims)
	for _, value := range found.values {
		if id, err := asText(value); err == nil {
			return printable(id)
		}
	}
	return nobody
}

// nobody is whom a token claims to be of that cannot be read.
const nobody = "nobody"

// printable is text as it is where that is ASCII, with what is not escaped, and cut where it is long.
func printable(text string) string {
	cut := ""
	if len(text) > maxShown {
		text, cut = text[:maxShown], "…"
	}
	escaped := strconv.QuoteToASCII(text)
	return strings.ReplaceAll(escaped[1:len(escaped)-1], `\"`, `"`) + cut
}

// maxTenantless is how many users without a company are remembered; beyond that all are forgotten, and told of again.
const maxTenantless = 10_000

// tenantless tells, once a user, that a token names no company, as that is seldom meant.
type tenantless struct {
	log *slog.Logger

	mu   sync.Mutex
	told map[string]struct{}
}

func (t *tenantless) tell(ctx context.Context, id Identity, company Claim) {
	t.mu.Lock()
	_, told := t.told[id.UserID]
	if t.told == nil || len(t.told) >= maxTenantless {
		t.told = make(map[string]struct{})
	}
	t.told[id.UserID] = struct{}{}
	t.mu.Unlock()
	if !told {
		t.log.InfoContext(ctx, "a token without a company: its user is one of the default company",
			"user", id.UserID, "role", id.Role, "company", id.CompanyID, "looked_for", company.String())
	}
}
