package app

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"rolecall/internal/disk"
)

const diskInterval = time.Second

// diskWatch notices that a disk is nearly full, while everything can still be stored on it.
type diskWatch struct {
	folder string
	least  uint64 // bytes that should be free; 0 where nobody minds
	log    *slog.Logger
	low    atomic.Bool
}

// run looks once a second until ctx ends.
func (w *diskWatch) run(ctx context.Context) {
	if w.least == 0 {
		return
	}
	tick := time.NewTicker(diskInterval)
	defer tick.Stop()
	for {
		if err := w.look(ctx); err != nil {
			if !errors.Is(err, disk.ErrUnknown) {
				w.log.WarnContext(ctx, "nobody watches over the space on the disk", "error", err)
			}
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// look takes account of the space there is now. To be well again takes an eighth more than to be low, so that a disk at the
// limit is not both in turn.
func (w *diskWatch) look(ctx context.Context) error {
	space, err := disk.SpaceOf(w.folder)
	if err != nil {
		return err
	}
	free := space.Free
	switch low := w.low.Load(); {
	case !low && free < w.least:
		w.low.Store(true)
		w.log.WarnContext(ctx, "the disk of the database is nearly full", "folder", w.folder, "free", free, "least", w.least,
			"todo", "make room; when there is none left nothing is stored any more")
	case low && free >= w.least+w.least/8:
		w.low.Store(false)
		w.log.InfoContext(ctx, "the disk of the database has room again", "folder", w.folder, "free", free)
	}
	return nil
}
