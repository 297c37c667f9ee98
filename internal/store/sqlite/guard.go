package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// trustFactor is for how many times as long as a check took what others do to the file is not checked again.
const (
	trustFactor  = 20
	longestTrust = 10 * time.Second
)

// guard notices what becomes of the file besides what the program writes: that it is not at its path any more, or that
// somebody else has written to it. Looks at a few numbers that the file system keeps are enough to tell, since one
// connection does all that is written: the database file changes when a checkpoint is made, the log when a commit is, and
// neither otherwise. Whoever meets a change that is not the program's has the content checked before anything more is stored.
//
// But for usable and note its methods are called while the writing connection is held.
type guard struct {
	path string
	log  *slog.Logger
	// verify reads the whole content and fails where it is not whole.
	verify func(ctx context.Context) error
	now    func() time.Time

	shm      indexFile
	files    [3]os.FileInfo // as opened; nil where there was none
	main     stamp          // as the program left it
	wal      stamp
	index    logIndex
	trusting time.Time // until when changes of others are not checked

	// doubts counts what may hide harm until the content is read: the checkpoints that the program has made, and the changes
	// of others that were not checked.
	doubts atomic.Int64

	mu   sync.Mutex
	what *trouble
}

// stamp is what the file system knows of a file's content.
type stamp struct {
	size     int64
	modified time.Time
}

func stampOf(info os.FileInfo) stamp {
	if info == nil {
		return stamp{}
	}
	return stamp{info.Size(), info.ModTime()}
}

// begin takes the files as they are now for those to guard.
func (g *guard) begin() error {
	files, err := g.look()
	if err != nil {
		return fmt.Errorf("look at the file: %w", err)
	}
	g.files = files
	g.settle(files)
	return nil
}

// look returns what is at the paths of the three files, nil for what is not there. It fails where there is no database.
func (g *guard) look() (files [3]os.FileInfo, err error) {
	for i, suffix := range []string{"", logSuffix, indexSuffix} {
		info, err := os.Stat(g.path + suffix)
		switch {
		case err == nil:
			files[i] = info
		case i == 0 || !errors.Is(err, os.ErrNotExist):
			return files, err
		}
	}
	return files, nil
}

// settle takes the content for what the program has written.
func (g *guard) settle(files [3]os.FileInfo) {
	g.main, g.wal = stampOf(files[0]), stampOf(files[1])
	g.index, _ = g.shm.read() // where there is none nothing is known of checkpoints
}

// here returns what is at the paths, and fails with a trouble where that is not what was opened.
func (g *guard) here() ([3]os.FileInfo, *trouble) {
	files, err := g.look()
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return files, &trouble{moved, err}
		}
		return files, &trouble{failing, err}
	}
	for i, opened := range g.files {
		switch {
		case opened == nil:
			g.files[i] = files[i]
		case files[i] == nil:
			return files, &trouble{moved, fmt.Errorf("%s is gone", g.path+[]string{"", logSuffix, indexSuffix}[i])}
		case !os.SameFile(opened, files[i]):
			return files, &trouble{moved, fmt.Errorf("%s is another file", g.path+[]string{"", logSuffix, indexSuffix}[i])}
		}
	}
	return files, nil
}

// inspect is called before a write. It fails where nothing must be written.
func (g *guard) inspect(ctx context.Context) error {
	files, lost := g.here()
	if lost == nil && (stampOf(files[0]) != g.main || stampOf(files[1]) != g.wal) {
		if lost = g.suspect(ctx); ctx.Err() == nil {
			g.settle(files)
		}
	}
	return g.note(ctx, lost)
}

// wrote is called after a write, whatever has become of it. It fails where what was written is not safe.
func (g *guard) wrote(ctx context.Context) error {
	files, lost := g.here()
	if lost == nil && stampOf(files[0]) != g.main {
		if index, err := g.shm.read(); err == nil && index.backfilled == g.index.backfilled {
			lost = g.suspect(ctx) // no checkpoint was made
		} else {
			g.doubts.Add(1)
		}
	}
	g.settle(files)
	return g.note(ctx, lost)
}

// suspect checks the content, which somebody else has changed.
func (g *guard) suspect(ctx context.Context) *trouble {
	begun := g.now()
	if begun.Before(g.trusting) {
		g.doubts.Add(1)
		return nil
	}
	err := g.checkLog()
	if err == nil {
		err = g.verify(ctx)
	}
	switch what, known := troubleOf(err); {
	case errors.Is(err, errNotWhole) || errors.Is(err, errLogDamaged):
		return &trouble{damaged, err}
	case known:
		return what
	case err != nil && ctx.Err() != nil:
		return nil // nobody writes any more
	case err != nil:
		return &trouble{failing, err}
	}
	g.trusting = g.now().Add(min(trustFactor*g.now().Sub(begun), longestTrust))
	g.log.WarnContext(ctx, "another program writes to the database file, which is whole", "path", g.path)
	return nil
}

// checkLog compares the checksums of the commits that are in the log alone.
func (g *guard) checkLog() error {
	index, err := g.shm.read()
	if err != nil {
		return nil //nolint:nilerr // there is no index where the system has none, and nothing to compare
	}
	return checkLog(g.path, index.frames)
}

// usable fails with an Unusable while there is trouble.
func (g *guard) usable() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.what == nil {
		return nil
	}
	return g.what.unusable()
}

// note takes account of trouble, nil for none, and fails as usable does. What does not pass is kept; of several
// the last counts. Each change of the state is a line in the log.
func (g *guard) note(ctx context.Context, what *trouble) error {
	if what == nil {
		return g.usable()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.what == nil || g.what.kind.passes() && g.what.kind != what.kind {
		g.what = what
		g.log.ErrorContext(ctx, "nothing is stored any more: "+what.kind.sentence(),
			"path", g.path, "error", what.cause, "todo", what.kind.advice())
	}
	return g.what.unusable()
}

// noteError takes account of what an error says of the file, if it says anything.
func (g *guard) noteError(ctx context.Context, err error) {
	if what, known := troubleOf(err); known {
		_ = g.note(ctx, what) // the caller has the error
	}
}

// passed ends trouble that may pass.
func (g *guard) passed(ctx context.Context) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.what != nil && g.what.kind.passes() {
		g.log.WarnContext(ctx, "the database is written to again", "path", g.path, "after", g.what.kind.sentence())
		g.what = nil
	}
}

// kind is what the trouble is, 0 for none.
func (g *guard) kind() troubleKind {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.what == nil {
		return 0
	}
	return g.what.kind
}
