package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// part is one piece of the program, by the name that errors call it.
type part struct {
	name string
	// open makes the piece. What it needs stands before it in the list.
	open func(ctx context.Context) (life, error)
}

// life is what becomes of a part that has been opened. Each of its functions may be nil.
type life struct {
	// run works beside everything else, from when all parts are open until ctx ends, which is when this one has drained.
	// An error stops the program.
	run func(ctx context.Context) error
	// drain lets no more work in and finishes what there is, while all parts before this one still work.
	drain func(ctx context.Context) error
	// close gives back what open has taken.
	close func() error
}

// opened is a part of which open has succeeded.
type opened struct {
	life
	name string
	// stop ends run, and stopped is closed when it has returned; nil where nothing runs.
	stop    context.CancelFunc
	stopped chan struct{}
}

// lifecycle is the parts that are open, in the order of the list.
type lifecycle struct{ parts []*opened }

// open opens the parts one after the other. Where one fails it says which; those before it stay open.
func (l *lifecycle) open(ctx context.Context, parts []part) error {
	for _, part := range parts {
		life, err := part.open(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
		l.parts = append(l.parts, &opened{life: life, name: part.name})
	}
	return nil
}

// start runs what is to run. The first error arrives on failed.
func (l *lifecycle) start(ctx context.Context) (failed <-chan error) {
	failures := make(chan error, len(l.parts))
	for _, part := range l.parts {
		if part.run == nil {
			continue
		}
		running, stop := context.WithCancel(context.WithoutCancel(ctx))
		part.stop, part.stopped = stop, make(chan struct{})
		go func() {
			defer close(part.stopped)
			if err := part.run(running); err != nil {
				failures <- fmt.Errorf("%s: %w", part.name, err)
			}
		}()
	}
	return failures
}

// closeGrace is how much longer than the stop may last what is left to be closed may take. What takes longer is left to
// the end of the process.
const closeGrace = time.Second

// end drains all parts, the last one first, and then closes them in the same order, whatever fails on the way. It returns
// soon after ctx has ended, whatever goes on.
func (l *lifecycle) end(ctx context.Context) error {
	parts := l.parts
	l.parts = nil
	slices.Reverse(parts)
	var failed error
	for _, part := range parts {
		if part.drain != nil {
			failed = errors.Join(failed, named(part.name, part.drain(ctx)))
		}
		if part.stop != nil {
			part.stop()
			failed = errors.Join(failed, named(part.name, inTime(ctx, part.stopped)))
		}
	}
	for _, part := range parts {
		if part.close != nil {
			failed = errors.Join(failed, named(part.name, closeInTime(ctx, part.close)))
		}
	}
	return failed
}

// errStillBusy says that a part has not ended in the time that there is for a stop.
var errStillBusy = errors.New("still busy")

// inTime waits for the end of something.
func inTime(ctx context.Context, ended <-chan struct{}) error {
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
	}
	grace := time.NewTimer(closeGrace)
	defer grace.Stop()
	select {
	case <-ended:
		return nil
	case <-grace.C:
		return errStillBusy
	}
}

func closeInTime(ctx context.Context, closePart func() error) error {
	ended := make(chan struct{})
	var failed error
	go func() {
		defer close(ended)
		failed = closePart()
	}()
	if err := inTime(ctx, ended); err != nil {
		return err
	}
	return failed
}

func named(part string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", part, err)
}
