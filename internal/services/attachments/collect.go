package attachments

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strings"
	"time"
)

const (
	// collectEvery is how often it is looked for attachments without a message: soon after a message was deleted its files are gone.
	collectEvery = 20 * time.Second
	// maxCollected is how many are removed at a time.
	maxCollected = 500
)

// Collect removes, until ctx ends, the files of messages that are no more and of uploads that nobody has put into one; and from
// time to time files of which nothing is written down: their upload ended with the process. One server at a time does so, of
// all that have the same storage.
func (s *Service) Collect(ctx context.Context) {
	if s.storage == nil {
		return
	}
	every := min(collectEvery, s.options.Unsent)
	tick := time.NewTicker(every)
	defer tick.Stop()
	var looked time.Time
	for {
		s.collectAbandoned(ctx)
		if now := s.options.Now(); now.Sub(looked) >= s.options.Unsent && s.collectStray(ctx) {
			looked = now
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// collectAbandoned removes files first, and then what is written down: what it does not get to it finds again.
func (s *Service) collectAbandoned(ctx context.Context) {
	for {
		ids, err := s.store.AbandonAttachments(ctx, s.options.Now().Add(-s.options.Unsent).UnixMilli(), maxCollected)
		if err == nil {
			err = s.remove(ctx, ids)
		}
		if err == nil {
			err = s.store.ForgetAttachments(ctx, ids)
		}
		if err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "attachments without a message not removed", "error", err)
		}
		if err != nil || len(ids) == 0 {
			return
		}
		s.log.InfoContext(ctx, "attachments without a message removed", "attachments", len(ids))
	}
}

func (s *Service) remove(ctx context.Context, ids []string) error {
	for _, id := range ids {
		for _, key := range []string{keyOf(id), keyOf(id) + thumbnailSuffix} {
			if err := s.storage.Delete(ctx, key); err != nil {
				return err
			}
		}
	}
	return nil
}

// collectStray removes files of which nothing is written down, unless they are so new that it may yet be. It reports whether it
// has come to the end: a folder in which a file goes away while it is listed is looked at again.
func (s *Service) collectStray(ctx context.Context) bool {
	before := s.options.Now().Add(-s.options.Unsent)
	removed := 0
	var keys []string
	flush := func() error {
		n, err := s.removeUnknown(ctx, keys)
		removed, keys = removed+n, keys[:0]
		return err
	}
	err := s.eachOld(ctx, before, func(key string) error {
		if keys = append(keys, key); len(keys) < maxCollected {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, fs.ErrNotExist) {
		s.log.ErrorContext(ctx, "files without an attachment not removed", "removed", removed, "error", err)
	}
	if removed > 0 {
		s.log.InfoContext(ctx, "files without an attachment removed", "files", removed)
	}
	return err == nil
}

// eachOld goes through files that were written before a time.
func (s *Service) eachOld(ctx context.Context, before time.Time, do func(key string) error) error {
	for object, err := range s.storage.All(ctx) {
		if err != nil {
			return err
		}
		if isOurs(object) && object.ModTime.Before(before) {
			if err := do(object.Key); err != nil {
				return err
			}
		}
	}
	return nil
}

// isOurs reports whether a file is named as those of attachments are: nothing else in a folder is touched.
func isOurs(object Object) bool {
	id := idOf(object.Key)
	const uuidLength = 36
	return len(id) == uuidLength && strings.HasPrefix(object.Key, keyOf(id))
}

// idOf is the id of the attachment that a file is of: what is behind it in the name is a thumbnail, or was never finished.
func idOf(key string) string {
	id, _, _ := strings.Cut(path.Base(key), ".")
	return id
}

func (s *Service) removeUnknown(ctx context.Context, keys []string) (removed int, err error) {
	ids := make([]string, len(keys))
	for i, key := range keys {
		ids[i] = idOf(key)
	}
	records, err := s.store.Attachments(ctx, ids)
	if err != nil {
		return 0, err
	}
	known := make(map[string]bool, 2*len(records))
	for i := range records {
		id := records[i].ID
		known[keyOf(id)], known[keyOf(id)+thumbnailSuffix] = true, true
	}
	for _, key := range keys {
		if known[key] {
			continue
		}
		if err := s.storage.Delete(ctx, key); err != nil {
			return removed, err
		}
		removed++
	}
	return removed, nil
}
