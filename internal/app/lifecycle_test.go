package app

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// diary is parts that write down what happens to them.
type diary struct {
	entries []string
	running chan string
}

func (d *diary) part(name string, failing ...string) part {
	note := func(what string) error {
		d.entries = append(d.entries, what+" "+name)
		if slices.Contains(failing, what) {
			return errors.New(what + " failed")
		}
		return nil
	}
	return part{name, func(context.Context) (life, error) {
		return life{
			run: func(ctx context.Context) error {
				d.running <- name
				if slices.Contains(failing, "run") {
					return errors.New("run failed")
				}
				<-ctx.Done()
				return note("stop")
			},
			drain: func(context.Context) error { return note("drain") },
			close: func() error { return note("close") },
		}, note("open")
	}}
}

func TestPartsEndInTheOppositeOrder(t *testing.T) {
	t.Parallel()
	d := &diary{running: make(chan string, 3)}
	var l lifecycle
	if err := l.open(t.Context(), []part{d.part("store"), d.part("engine"), d.part("chat")}); err != nil {
		t.Fatal(err)
	}
	failed := l.start(t.Context())
	for range 3 {
		<-d.running
	}
	if err := l.end(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"open store", "open engine", "open chat",
		"drain chat", "stop chat", "drain engine", "stop engine", "drain store", "stop store",
		"close chat", "close engine", "close store",
	}
	if !slices.Equal(d.entries, want) {
		t.Errorf("what happened: %q, want %q", d.entries, want)
	}
	if err := l.end(t.Context()); err != nil || len(d.entries) != len(want) || len(failed) != 0 {
		t.Errorf("a second end: %v, %q", err, d.entries[len(want):])
	}
}

func TestPartThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	d := &diary{}
	var l lifecycle
	err := l.open(t.Context(), []part{d.part("store"), d.part("engine", "open"), d.part("chat")})
	if err == nil || !strings.Contains(err.Error(), "engine: open failed") {
		t.Errorf("the error is %v", err)
	}
	if err := l.end(t.Context()); err != nil {
		t.Error(err)
	}
	if want := []string{"open store", "open engine", "drain store", "close store"}; !slices.Equal(d.entries, want) {
		t.Errorf("what happened: %q, want %q", d.entries, want)
	}
}

func TestFailuresOfPartsAreAllTold(t *testing.T) {
	t.Parallel()
	d := &diary{running: make(chan string, 2)}
	var l lifecycle
	if err := l.open(t.Context(), []part{d.part("store", "close"), d.part("engine", "run", "drain")}); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-l.start(t.Context()):
		if err.Error() != "engine: run failed" {
			t.Errorf("the part that failed: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("a part has failed and nobody is told")
	}
	err := l.end(t.Context())
	if err == nil || !strings.Contains(err.Error(), "engine: drain failed") || !strings.Contains(err.Error(), "store: close failed") {
		t.Errorf("the end's error is %v", err)
	}
}

// TestNothingHoldsUpAStop: what does not end in time is told, and left.
func TestNothingHoldsUpAStop(t *testing.T) {
	t.Parallel()
	stuck := make(chan struct{})
	defer close(stuck)
	var l lifecycle
	closed := false
	err := l.open(t.Context(), []part{
		{"closes", func(context.Context) (life, error) {
			return life{close: func() error { closed = true; return nil }}, nil
		}},
		{"is stuck closing", func(context.Context) (life, error) {
			return life{close: func() error { <-stuck; return nil }}, nil
		}},
		{"is stuck running", func(context.Context) (life, error) {
			return life{run: func(context.Context) error { <-stuck; return nil }}, nil
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	l.start(t.Context())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = l.end(ctx)
	for _, name := range []string{"is stuck closing", "is stuck running"} {
		if !errors.Is(err, errStillBusy) || !strings.Contains(err.Error(), name+": still busy") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !closed {
		t.Error("what can be closed is not")
	}
}
