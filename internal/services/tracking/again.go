package tracking

import (
	"context"
	"math"

	"rolecall/internal/auth"
)

// recognise gives those positions without a time of their own that have been sent before the time that they had then, so
// that they are late, or the newest once more, and not where the driver is now. The store is asked only where a counter does
// not go on from the last one, as it does not when something is sent again; and while it does not answer, positions are
// taken for new ones: what is stored is settled by the store.
func (s *Service) recognise(ctx context.Context, who auth.Identity, positions []Position) {
	if !s.goesBack(who, positions) {
		return
	}
	since := s.options.Now().Add(-RecognisedFor).UnixMilli()
	times, err := s.store.SentBefore(ctx, who.UserID, positions, since)
	if err != nil {
		s.log.WarnContext(ctx, "positions sent again may be shown as new", "driver", who.UserID, "error", err)
		return
	}
	for i, ts := range times {
		if ts != 0 {
			positions[i].TS = ts
		}
	}
}

// goesBack reports whether one of the positions without a time of its own is counted no higher than the driver's last.
// Of who is not connected here, or has sent none to this node since, that cannot be told where there are other nodes.
func (s *Service) goesBack(who auth.Identity, positions []Position) bool {
	least, some := int64(math.MaxInt64), false
	for i := range positions {
		if positions[i].Stamped {
			least, some = min(least, *positions[i].Seq), true
		}
	}
	if !some {
		return false
	}
	several := s.others != nil && !s.others.alone()
	m := s.directory.find(scope{companyID: who.CompanyID}, who.UserID)
	if m == nil {
		return several
	}
	m.fleet.mu.Lock()
	defer m.fleet.mu.Unlock()
	return several && (!m.connected || !m.counted) || m.lastSeq != nil && least <= *m.lastSeq
}
