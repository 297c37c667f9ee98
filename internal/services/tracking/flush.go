package tracking

import (
	"context"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"rolecall/internal/bus"
	"rolecall/internal/roles"
	"rolecall/internal/tracing"
)

// due are the fleets that have something for the next flush.
type due struct {
	mu     sync.Mutex
	fleets []*fleet
	held   []*fleet      // whose sending is held for the flush
	wake   chan struct{} // holds one token while there are any
}

func (d *due) add(f *fleet) {
	d.mu.Lock()
	d.fleets = append(d.fleets, f)
	d.mu.Unlock()
	d.ring()
}

// addHeld adds a fleet whose sending is held.
func (d *due) addHeld(f *fleet) {
	d.mu.Lock()
	d.held = append(d.held, f)
	d.mu.Unlock()
	d.ring()
}

func (d *due) ring() {
	select {
	case d.wake <- struct{}{}:
	default: // a flush is coming already
	}
}

func (d *due) take() (fleets, held []*fleet) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fleets, held = d.fleets, d.held
	d.fleets, d.held = nil, nil
	return fleets, held
}

// Run flushes positions and looks for silent drivers until ctx ends; what is pending then is still sent.
func (s *Service) Run(ctx context.Context) {
	var sweeps sync.WaitGroup
	sweeps.Go(func() { s.sweepUntil(ctx) }) // beside the flushes, which do not wait for hooks
	defer sweeps.Wait()
	if s.others != nil {
		sweeps.Go(func() { s.hear(ctx) })
		sweeps.Go(func() { s.mirrorUntil(ctx) })
	}
	var late sync.WaitGroup // waits for fleets that were held when they were due
	pause := time.NewTimer(0)
	defer pause.Stop()
	wake := (<-chan struct{})(nil) // nil while a flush was sent less than Flush ago
	for {
		select {
		case <-ctx.Done():
			late.Wait()
			fleets, held := s.due.take()
			for _, f := range fleets {
				f.sending.Lock()
			}
			s.flush(ctx, append(held, fleets...)...)
			return
		case <-pause.C:
			wake = s.due.wake
		case <-wake:
			s.flushDue(ctx, &late)
			wake = nil
			pause.Reset(s.options.Flush)
		}
	}
}

// sweepUntil looks for silent drivers until ctx ends.
func (s *Service) sweepUntil(ctx context.Context) {
	sweep := time.NewTicker(sweepInterval)
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-sweep.C:
			s.sweep(ctx)
		}
	}
}

// flushDue flushes the fleets that are due. One of which somebody is just being told in their greeting holds up no other: it
// comes with the first flush after that is over, and nobody more is told of it in between.
func (s *Service) flushDue(ctx context.Context, late *sync.WaitGroup) {
	fleets, held := s.due.take()
	for _, f := range fleets {
		if f.sending.TryLock() {
			held = append(held, f)
			continue
		}
		late.Go(func() {
			f.sending.Lock()
			s.due.addHeld(f)
		})
	}
	s.flush(ctx, held...)
}

// flush sends what is pending of the fleets: to each room that sees any of it, one event. The caller holds their sending,
// which is given back.
func (s *Service) flush(ctx context.Context, fleets ...*fleet) {
	type telling struct {
		room      roles.Room
		positions []bus.Value
	}
	var tellings []telling
	var causes []trace.Span
	index := make(map[roles.Room]int)
	for _, f := range fleets {
		taken, its := f.take()
		defer f.sent() // when every room has heard of it
		causes = append(causes, its...)
		if s.others != nil && !s.others.alone() {
			s.publishFlush(ctx, f.companyID, taken)
		}
		for _, position := range taken {
			value, ok := s.encode(ctx, position)
			if !ok {
				continue
			}
			for _, room := range audiences(&position.Position) {
				i, known := index[room]
				if !known {
					i = len(tellings)
					index[room], tellings = i, append(tellings, telling{room: room})
				}
				tellings[i].positions = append(tellings[i].positions, value)
			}
		}
	}
	at := s.options.Now().UnixMilli()
	ctx, span := tracing.Join(ctx, causes, "flush positions")
	defer span.End()
	for _, t := range tellings {
		s.emitPositions(ctx, at, t.positions, t.room)
	}
}

// encode is what watchers are sent of a position.
func (s *Service) encode(ctx context.Context, position *newest) (value bus.Value, ok bool) {
	value, err := position.value()
	if err != nil {
		s.log.ErrorContext(ctx, "position not sent", "error", err)
	}
	return value, err == nil
}

// emitPositions sends tracking:positions. Each position is encoded once, however many rooms hear of it.
func (s *Service) emitPositions(ctx context.Context, at int64, positions []bus.Value, room roles.Room) {
	fields := strconv.AppendInt([]byte(`{"at":`), at, 10)
	s.emit.EmitNewest(ctx, EventPositions, bus.Newest{Fields: append(fields, '}'), Member: "positions", Values: positions}, room)
}
