package payloads

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"rolecall/internal/bus"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
	"rolecall/internal/services/tracking"
	"rolecall/test/servicetest"
)

// deaf hears every event and keeps none.
type deaf struct{}

func (deaf) Emit(context.Context, string, any, []roles.Room, ...roles.Room) {}

func (deaf) EmitNewest(context.Context, string, bus.Newest, ...roles.Room) {}

// notebook is a store of positions that keeps what it is given.
type notebook struct {
	tracking.Store
	positions []tracking.Position
}

func (n *notebook) AppendPositions(_ context.Context, positions []tracking.Position, _ []tracking.Driver) error {
	n.positions = append(n.positions, positions...)
	return nil
}

func (*notebook) Drivers(context.Context) ([]tracking.Driver, error) { return nil, nil }

// holdUpdate holds what is stored of an update, and what is said of the rest, against what was sent. An update encodes to
// nothing: positions are what becomes of it.
func holdUpdate(t *testing.T, update tracking.Update, raw []byte, sent any) {
	t.Helper()
	stored := new(notebook)
	service, err := tracking.New(t.Context(), stored, deaf{}, tracking.Options{
		Flush: time.Hour, Now: servicetest.AtNoon, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	positions, isList := sent.([]any)
	if !isList {
		positions = []any{sent}
	}
	pending, err := service.Submit(t.Context(), servicetest.PersonOf("dora", roles.Driver, "acme"), update)
	servicetest.Close(t, service) // writes at once
	if err != nil {
		if isList || !fault.Is(err, fault.InvalidPayload) {
			t.Fatalf("%q: %v", raw, err)
		}
		return
	}
	verdict, err := pending.Wait(t.Context())
	if err != nil || verdict.Accepted != len(stored.positions) || verdict.Accepted+len(verdict.Rejected) != len(positions) {
		t.Fatalf("%q: %+v, %v for %d positions, of which %d are stored", raw, verdict, err, len(positions), len(stored.positions))
	}
	rejected := make(map[int]bool)
	for _, rejection := range verdict.Rejected {
		rejected[rejection.Index] = true
	}
	dropped := make(map[tracking.Omission]bool)
	for _, omission := range verdict.Dropped {
		dropped[omission] = true
	}
	for i, position := range positions {
		if rejected[i] {
			continue
		}
		holdPosition(t, raw, i, position, stored.positions[0], dropped)
		stored.positions = stored.positions[1:]
	}
}

func holdPosition(t *testing.T, raw []byte, index int, sent any, stored tracking.Position, dropped map[tracking.Omission]bool) {
	t.Helper()
	text, err := encode(stored)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := generic(text)
	if err != nil {
		t.Fatal(err)
	}
	given, isObject := sent.(map[string]any)
	taken, _ := encoded.(map[string]any)
	if !isObject || given["lat"] == nil || given["lng"] == nil {
		t.Fatalf("%q: %v is taken for a position", raw, sent)
	}
	for _, name := range []string{"lat", "lng", "heading", "speed", "accuracy", "altitude", "battery", "seq"} {
		value, is := taken[name]
		if dropped[tracking.Omission{Index: index, Field: name}] {
			if is || given[name] == nil {
				t.Fatalf("%q: %s of position %d is said to be left out of %s", raw, name, index, text)
			}
			continue
		}
		if is != (given[name] != nil) || is && !equal(given[name], value) {
			t.Fatalf("%q: %s of position %d, %v, became %v", raw, name, index, given[name], value)
		}
	}
	at := servicetest.Noon
	if given["ts"] != nil {
		at = moment(given["ts"]).Millis
	}
	if stored.TS != at {
		t.Fatalf("%q: the time of position %d, %v, became %d", raw, index, given["ts"], stored.TS)
	}
	for name := range given {
		for right := range taken {
			if name != right && strings.EqualFold(name, right) && right != "driverId" && right != "companyId" {
				t.Fatalf("%q: %s is taken, which is nearly %s", raw, name, right)
			}
		}
	}
}
