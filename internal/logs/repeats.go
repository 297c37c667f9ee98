// Package logs keeps a log readable while something goes wrong again and again.
package logs

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
)

const (
	// Window is how long lines that are alike are counted and not written.
	Window = time.Minute
	// burst is how many lines of level info that are alike are written within a Window; of warnings and errors, which tell of
	// one state, it is the first.
	burst = 60
	// maxKinds is how many kinds of lines are told apart within a Window. Those beyond it are of one kind a level.
	maxKinds = 256
	// maxKey bounds what is looked at of a line's texts, in bytes each.
	maxKey = 160
)

// NewRepeats returns a handler that hands on to next the first of the lines that are alike, and once a Window how many more
// there were. Alike are lines of one level and message whose error, panic, event and path are the same but for numbers.
// Lines of level debug are all handed on. Flush tells what was counted last.
func NewRepeats(next slog.Handler) *Repeats { return newRepeats(next, Window) }

// newRepeats is NewRepeats with a window of a test's choice.
func newRepeats(next slog.Handler, window time.Duration) *Repeats {
	return &Repeats{next: next, kinds: &kinds{window: window, seen: make(map[string]*repeated)}}
}

// Repeats is a slog.Handler.
type Repeats struct {
	next  slog.Handler
	kinds *kinds
	// of is the key's part that comes from attributes of the logger.
	of string
}

// kinds are the lines of the last window, by what is alike in them.
type kinds struct {
	window time.Duration

	mu    sync.Mutex
	seen  map[string]*repeated
	timer *time.Timer // nil while nothing has been seen
}

// repeated is what is known of lines that are alike.
type repeated struct {
	first   time.Time
	written int
	// last is the newest that was not written, of more.
	last slog.Record
	more int
	next slog.Handler
}

// Enabled implements slog.Handler.
func (r *Repeats) Enabled(ctx context.Context, level slog.Level) bool {
	return r.next.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler.
func (r *Repeats) WithAttrs(attrs []slog.Attr) slog.Handler {
	made := *r
	made.next = r.next.WithAttrs(attrs)
	for _, attr := range attrs {
		made.of += keyOf(attr)
	}
	return &made
}

// WithGroup implements slog.Handler.
func (r *Repeats) WithGroup(name string) slog.Handler {
	made := *r
	made.next = r.next.WithGroup(name)
	return &made
}

// Handle implements slog.Handler.
func (r *Repeats) Handle(ctx context.Context, line slog.Record) error {
	if line.Level >= slog.LevelInfo && !r.kinds.take(r.key(line), line, r.next) {
		return nil
	}
	return r.next.Handle(ctx, line)
}

// key is what is alike in lines of one kind.
func (r *Repeats) key(line slog.Record) string {
	var key strings.Builder
	key.WriteString(line.Level.String())
	key.WriteString(shape(line.Message))
	key.WriteString(r.of)
	line.Attrs(func(attr slog.Attr) bool {
		key.WriteString(keyOf(attr))
		return true
	})
	return key.String()
}

func keyOf(attr slog.Attr) string {
	switch attr.Key {
	case "error", "panic", "event", "path", "reason":
		return "\x00" + attr.Key + "=" + shape(attr.Value.Resolve().String())
	}
	return ""
}

// shape is a text without its numbers and ids, the beginning of its first line.
func shape(text string) string {
	text, _, _ = strings.Cut(text, "\n")
	text = text[:min(len(text), maxKey)]
	var shaped strings.Builder
	word := 0
	flush := func(end int) {
		if part := text[word:end]; strings.ContainsAny(part, "0123456789") {
			shaped.WriteByte('#')
		} else {
			shaped.WriteString(part)
		}
	}
	for i := range len(text) {
		if c := text[i]; c == ' ' || c == ':' || c == '(' || c == ')' || c == '"' || c == '/' || c == ',' {
			flush(i)
			shaped.WriteByte(c)
			word = i + 1
		}
	}
	flush(len(text))
	return shaped.String()
}

// take reports whether a line is to be written; one that is not is counted.
func (k *kinds) take(key string, line slog.Record, next slog.Handler) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, known := k.seen[key]; !known && len(k.seen) >= maxKinds {
		key = line.Level.String()
	}
	kind := k.seen[key]
	if kind == nil {
		kind = &repeated{first: time.Now(), next: next}
		k.seen[key] = kind
		if k.timer == nil {
			k.timer = time.AfterFunc(k.window, k.expire)
		}
	}
	most := 1
	if line.Level < slog.LevelWarn {
		most = burst
	}
	if kind.written < most {
		kind.written++
		return true
	}
	kind.last, kind.next = line.Clone(), next
	kind.more++
	return false
}

// expire tells of the kinds whose window is over, and forgets them.
func (k *kinds) expire() {
	k.mu.Lock()
	now := time.Now()
	var over []*repeated
	wait := k.window
	for key, kind := range k.seen {
		if left := k.window - now.Sub(kind.first); left > 0 {
			wait = min(wait, left)
			continue
		}
		over = append(over, kind)
		delete(k.seen, key)
	}
	k.timer = nil
	if len(k.seen) > 0 {
		k.timer = time.AfterFunc(wait, k.expire)
	}
	k.mu.Unlock()
	tell(over)
}

// tell writes the last line of each kind of which some were not written, with how many those were.
func tell(over []*repeated) {
	for _, kind := range over {
		if kind.more > 0 {
			kind.last.AddAttrs(slog.Int("repeated", kind.more))
			_ = kind.next.Handle(context.Background(), kind.last) // where else could it be told
		}
	}
}

// Flush tells what was counted and not told, and begins anew.
func (r *Repeats) Flush() {
	r.kinds.mu.Lock()
	var over []*repeated
	for _, kind := range r.kinds.seen {
		over = append(over, kind)
	}
	clear(r.kinds.seen)
	if r.kinds.timer != nil {
		r.kinds.timer.Stop()
		r.kinds.timer = nil
	}
	r.kinds.mu.Unlock()
	tell(over)
}
