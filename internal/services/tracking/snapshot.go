package tracking

import (
	"context"
	"encoding/json"
	"maps"
	"sync"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/page"
	"rolecall/internal/shared"
)

// Listener is a socket that is greeted.
type Listener interface {
	// Emit sends an event to it.
	Emit(event string, payload any) error
	// AwaitRoom waits where much of what was sent to it before has yet to be read. It fails where it leaves, or ctx ends,
	// first.
	AwaitRoom(ctx context.Context) error
}

// maxRounds is how often a greeting looks again for what has happened meanwhile, where that is much.
const maxRounds = 10

// Greet sends a watcher what it is to know first: tracking:snapshot, with every driver's newest position and status, in
// parts where it is long, and behind it what watchers have heard while that was made and sent. It fails with forbidden for
// who watches no fleet, as Emit does, and where ctx ends first.
//
// The socket stands in the rooms of its watchers before. It is shown no older position behind the snapshot (see
// fleet.appendTo). What it may have heard before the snapshot's last part and not find in there is told again behind it, so
// that who takes the snapshot for all there is has lost nothing. Nothing is held while the snapshot is made and sent, and
// what many ask for at once is made once; what follows it holds up one fleet's flush, for as long as it takes to write
// what has happened since the last part.
//
// However many come at once, few are worked for at a time, in turns of a part each, so that flushes have a processor.
func (s *Service) Greet(ctx context.Context, who auth.Identity, to Listener) error {
	visible, err := fleetScope(who)
	if err != nil {
		return err
	}
	if err := s.lookAround(ctx, visible); err != nil {
		return err
	}
	g := greeting{Service: s, ctx: ctx, visible: visible, to: to, begun: time.Now()}
	if err := g.turn(g.look); err != nil {
		return err
	}
	for len(g.parts) > 0 {
		if err := to.AwaitRoom(ctx); err != nil {
			return err
		}
		if err := g.turn(g.sendPart); err != nil {
			return err
		}
	}
	return g.turn(g.catchUp)
}

// greeting is one listener's way through a snapshot.
type greeting struct {
	*Service
	ctx     context.Context //nolint:containedctx // it is the greeting's lifetime
	visible scope
	to      Listener
	begun   time.Time

	upTo   map[*fleet]mark // of what has been sent and what is left of parts
	parts  []*shared.Payload
	rounds int
}

// turn does some work when it is the listener's turn.
func (g *greeting) turn(work func() error) error {
	select {
	case g.turns <- struct{}{}:
	case <-g.ctx.Done():
		return g.ctx.Err()
	}
	defer func() { <-g.turns }()
	if err := g.ctx.Err(); err != nil {
		return err
	}
	return work()
}

func (g *greeting) look() error {
	shot := g.shoot(g.ctx, g.visible, g.begun)
	g.upTo, g.parts = maps.Clone(shot.upTo), shot.parts
	return nil
}

// sendPart sends the next part. Before the last one it looks at what has been told meanwhile; where that is much, it comes
// as further parts.
func (g *greeting) sendPart() error {
	if len(g.parts) == 1 && g.rounds < maxRounds {
		missed := overview{upTo: make(map[*fleet]mark)}
		for _, f := range g.directory.within(g.visible) {
			f.appendSince(&missed, g.upTo[f], g.visible.all)
		}
		if more := g.encodeParts(g.ctx, missed.drivers); len(more) > 1 {
			g.parts = append([]*shared.Payload{unfinished(g.parts[0])}, more...)
			maps.Copy(g.upTo, missed.upTo)
			g.rounds++
		}
	}
	part := g.parts[0]
	g.parts = g.parts[1:]
	return g.to.Emit(EventSnapshot, part)
}

// catchUp sends what has become of the fleets since the last part.
func (g *greeting) catchUp() error {
	for _, f := range g.directory.within(g.visible) { // new ones as well
		if err := g.catchUpWith(f); err != nil {
			return err
		}
	}
	return nil
}

func (g *greeting) catchUpWith(f *fleet) error {
	then := g.upTo[f]
	if err := g.ctx.Err(); err != nil {
		return err
	}
	if now := f.mark(); now.flushes == then.flushes && now.changes == then.changes {
		return nil
	}
	f.sending.RLock()
	defer f.sending.RUnlock()
	missed := overview{upTo: make(map[*fleet]mark)}
	f.appendSince(&missed, then, g.visible.all)
	var positions []json.RawMessage
	for _, seen := range missed.drivers {
		if seen.report != nil {
			if err := g.to.Emit(EventStatus, seen.report.value()); err != nil {
				return err
			}
		}
		if value, ok := g.positionOf(g.ctx, seen); ok {
			positions = append(positions, value)
		}
	}
	if len(positions) == 0 {
		return nil
	}
	return g.to.Emit(EventPositions, struct {
		At        int64             `json:"at"`
		Positions []json.RawMessage `json:"positions"`
	}{g.options.Now().UnixMilli(), positions})
}

// album keeps the last snapshot of a fleet, or of all, for who asks within a moment.
type album struct {
	mu   sync.Mutex // held while one is made: who asks meanwhile waits, and has it as well
	last *shot
}

// shot is a snapshot.
type shot struct {
	upTo  map[*fleet]mark
	parts []*shared.Payload // payloads of tracking:snapshot; at least one
	made  time.Time
}

// shotKept is how long a snapshot is kept that nobody asks for.
const shotKept = 2 * time.Second

// shoot returns the snapshot of a scope for a greeting that began at a time. One that was made since then, for another who
// came, does as well as a new one, and so does an older one where nothing has changed.
func (s *Service) shoot(ctx context.Context, visible scope, begun time.Time) *shot {
	fleets, in := s.directory.within(visible), &s.everywhere
	switch {
	case visible.all:
	case len(fleets) == 0:
		in = new(album)
	default:
		in = &fleets[0].album
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if last := in.last; last != nil && (last.made.After(begun) || last.isOf(fleets)) {
		return last
	}
	now := time.Now()
	seen := overview{upTo: make(map[*fleet]mark, len(fleets))}
	for _, f := range fleets {
		f.appendTo(&seen, visible.all)
	}
	in.last = &shot{upTo: seen.upTo, parts: s.encodeParts(ctx, seen.drivers), made: now}
	return in.last
}

// isOf reports whether the snapshot is of just these fleets as they are now.
func (s *shot) isOf(fleets []*fleet) bool {
	for _, f := range fleets {
		if then, known := s.upTo[f]; !known || f.mark() != then {
			return false
		}
	}
	return len(fleets) == len(s.upTo)
}

// tidy drops a snapshot that nobody has asked for in a while, unless one is just being made.
func (a *album) tidy() {
	if a.mu.TryLock() {
		defer a.mu.Unlock()
		if a.last != nil && time.Since(a.last.made) > shotKept {
			a.last = nil
		}
	}
}

// encodeParts is what the parts of tracking:snapshot tell: each about as long as a page may be, and at least one.
func (s *Service) encodeParts(ctx context.Context, drivers []sighting) (parts []*shared.Payload) {
	var positions, reports []json.RawMessage
	size := 0
	for _, seen := range drivers {
		position, hasPosition := s.positionOf(ctx, seen)
		var report json.RawMessage
		if seen.report != nil {
			report = seen.report.value()
		}
		its := len(position) + len(report) + len(",,")
		if size += its; size > page.MaxBytes && len(positions)+len(reports) > 0 {
			parts = append(parts, encodePart(positions, reports, `,"more":true}`))
			positions, reports, size = positions[:0], reports[:0], its
		}
		if hasPosition {
			positions = append(positions, position)
		}
		if report != nil {
			reports = append(reports, report)
		}
	}
	return append(parts, encodePart(positions, reports, `}`))
}

// positionOf is the position of what was seen of a driver, encoded.
func (s *Service) positionOf(ctx context.Context, seen sighting) (position json.RawMessage, ok bool) {
	if seen.position == nil {
		return nil, false
	}
	value, ok := s.encode(ctx, seen.position)
	return value.JSON, ok
}

// encodePart is the payload of tracking:snapshot, with what stands behind its lists.
func encodePart(positions, reports []json.RawMessage, behind string) *shared.Payload {
	const before, between = `{"positions":`, `,"statuses":`
	part := make([]byte, 0, len(before)+sizeOf(positions)+len(between)+sizeOf(reports)+len(behind))
	part = appendArray(append(part, before...), positions)
	part = appendArray(append(part, between...), reports)
	return shared.New(append(part, behind...))
}

// unfinished is the last part as one that others follow.
func unfinished(part *shared.Payload) *shared.Payload {
	text := part.JSON[:len(part.JSON)-len("}")]
	return shared.New(append(text[:len(text):len(text)], `,"more":true}`...))
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
