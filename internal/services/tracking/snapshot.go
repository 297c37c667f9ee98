package tracking

import (
	"context"
	"encoding/json"

	"rolecall/internal/auth"
)

// Greet sends a watcher what it is to know first: tracking:snapshot, with the newest position of every driver the caller
// watches and the status of those who are not offline, and behind it what watchers have heard while that was made and sent.
// It fails with forbidden for who watches no fleet, as send does, and where ctx ends first.
//
// The socket stands in the rooms of its watchers before. It is shown no older position behind the snapshot (see
// fleet.appendTo). What it may have heard before the snapshot and not find in there is told again behind it, so that who
// takes the snapshot for all there is has lost nothing. Nothing is held while the snapshot is made and sent; what follows
// it holds up one fleet's flush at a time.
func (s *Service) Greet(ctx context.Context, who auth.Identity, send func(event string, payload any) error) error {
	visible, err := fleetScope(who)
	if err != nil {
		return err
	}
	seen := overview{upTo: make(map[*fleet]mark)}
	for _, f := range s.directory.within(visible) {
		if err := ctx.Err(); err != nil {
			return err
		}
		f.appendTo(&seen, visible.all)
	}
	if err := send(EventSnapshot, s.snapshot(ctx, &seen)); err != nil {
		return err
	}
	for _, f := range s.directory.within(visible) { // new ones as well
		if err := s.catchUp(ctx, f, seen.upTo[f], visible.all, send); err != nil {
			return err
		}
	}
	return nil
}

// catchUp sends what has become of a fleet since it was at a mark.
func (s *Service) catchUp(
	ctx context.Context, f *fleet, then mark, homes bool, send func(event string, payload any) error,
) error {
	f.sending.Lock()
	defer f.sending.Unlock()
	positions, statuses := f.since(then, homes)
	for _, status := range statuses {
		if err := send(EventStatus, status); err != nil {
			return err
		}
	}
	if len(positions) == 0 {
		return nil
	}
	return send(EventPositions, struct {
		At        int64             `json:"at"`
		Positions []json.RawMessage `json:"positions"`
	}{s.options.Now().UnixMilli(), s.encodeAll(ctx, positions)})
}

// snapshot is the payload of tracking:snapshot.
func (s *Service) snapshot(ctx context.Context, seen *overview) json.RawMessage {
	positions := s.encodeAll(ctx, seen.positions)
	const before, between, behind = `{"positions":`, `,"statuses":`, `}`
	snapshot := make([]byte, 0, len(before)+sizeOf(positions)+len(between)+sizeOf(seen.statuses)+len(behind))
	snapshot = appendArray(append(snapshot, before...), positions)
	snapshot = appendArray(append(snapshot, between...), seen.statuses)
	return append(snapshot, behind...)
}

func (s *Service) encodeAll(ctx context.Context, positions []*newest) []json.RawMessage {
	all := make([]json.RawMessage, 0, len(positions))
	for _, position := range positions {
		if value, ok := s.encode(ctx, position); ok {
			all = append(all, value.JSON)
		}
	}
	return all
}

// sizeOf is the length of what appendArray appends.
func sizeOf(items []json.RawMessage) int {
	size := len("[]") + max(len(items)-1, 0)
	for _, item := range items {
		size += len(item)
	}
	return size
}

// appendArray appends a JSON array of what is encoded already, which an encoder would go through again.
func appendArray(text []byte, items []json.RawMessage) []byte {
	text = append(text, '[')
	for i, item := range items {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, item...)
	}
	return append(text, ']')
}
