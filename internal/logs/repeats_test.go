package logs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// page is what was written, line by line, without times.
type page struct {
	mu      sync.Mutex
	text    bytes.Buffer
	written chan struct{}
}

func (p *page) Write(line []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer func() {
		select {
		case p.written <- struct{}{}:
		default:
		}
	}()
	return p.text.Write(line)
}

func (p *page) lines() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Split(strings.TrimSpace(p.text.String()), "\n")
}

func newLog(window time.Duration) (*slog.Logger, *Repeats, *page) {
	p := &page{written: make(chan struct{}, 1)}
	repeats := newRepeats(slog.NewTextHandler(p, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, attr slog.Attr) slog.Attr {
			if attr.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return attr
		},
	}), window)
	return slog.New(repeats), repeats, p
}

// TestRepeats: of lines that are alike the first is written, and how many more there were; what differs in what is wrong is
// not alike.
func TestRepeats(t *testing.T) {
	t.Parallel()
	log, repeats, page := newLog(time.Hour)
	for i := range 1000 {
		log.Error("not stored", "changes", i, "error", fmt.Errorf("commit %d of 01a22e73-6746-73b3-852d-b84d713062d7: disk full (%d)", i, 13))
		log.Error("event failed", "event", "chat:message", "user", fmt.Sprint("u", i), "error", errors.New("disk full\nstack"))
	}
	log.Error("event failed", "event", "chat:read", "error", errors.New("disk full"))
	log.Error("event failed", "event", "chat:message", "error", errors.New("nil pointer"))
	log.Warn("not stored", "error", errors.New("commit: disk full"))
	log.With("event", "x").Error("event failed", "error", errors.New("disk full"))
	for range 3 {
		log.Debug("detail")
	}
	want := []string{
		`level=ERROR msg="not stored" changes=0 error="commit 0 of 01a22e73-6746-73b3-852d-b84d713062d7: disk full (13)"`,
		`level=ERROR msg="event failed" event=chat:message user=u0 error="disk full\nstack"`,
		`level=ERROR msg="event failed" event=chat:read error="disk full"`,
		`level=ERROR msg="event failed" event=chat:message error="nil pointer"`,
		`level=WARN msg="not stored" error="commit: disk full"`,
		`level=ERROR msg="event failed" event=x error="disk full"`,
		`level=DEBUG msg=detail`, `level=DEBUG msg=detail`, `level=DEBUG msg=detail`,
	}
	if diff := cmp.Diff(want, page.lines()); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
	repeats.Flush()
	told := page.lines()[len(want):]
	if len(told) != 2 {
		t.Fatalf("told at the end: %q", told)
	}
	for _, line := range told {
		if !strings.Contains(line, "repeated=999") || !strings.Contains(line, "changes=999") && !strings.Contains(line, "user=u999") {
			t.Errorf("told at the end: %s", line)
		}
	}
}

// TestWindow: when the window is over the number is told by itself, and the next line is a first one again.
func TestWindow(t *testing.T) {
	t.Parallel()
	log, _, page := newLog(50 * time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for round := range 2 {
		for range 5 {
			log.Error("broken")
		}
		for len(page.lines()) < 2*round+2 {
			select {
			case <-page.written:
			case <-ctx.Done():
				t.Fatalf("written: %q", page.lines())
			}
		}
	}
	want := []string{"level=ERROR msg=broken", "level=ERROR msg=broken repeated=4"}
	if diff := cmp.Diff(append(want, want...), page.lines()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestBounds: lines of level info are written up to a number, and however different lines are, no more kinds are kept.
func TestBounds(t *testing.T) {
	t.Parallel()
	log, repeats, page := newLog(time.Hour)
	for range 10 * burst {
		log.Info("token refused", "reason", "expired")
	}
	if n := len(page.lines()); n != burst {
		t.Errorf("%d lines of level info", n)
	}
	for i := range 10 * maxKinds {
		log.Error(strings.Repeat("x", i%maxKey) + strings.Repeat("y", i/maxKey))
	}
	if n := len(repeats.kinds.seen); n > maxKinds+2 {
		t.Errorf("%d kinds are kept", n)
	}
	if n := len(page.lines()); n > burst+maxKinds+2 {
		t.Errorf("%d lines", n)
	}
	repeats.Flush()
	if len(repeats.kinds.seen) != 0 || repeats.kinds.timer != nil {
		t.Error("something is kept after the end")
	}
}
