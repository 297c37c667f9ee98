// Package payloads holds that what either door takes is what was sent: for every type that a payload is decoded into.
package payloads

import (
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"testing"

	"rolecall/api"
	"rolecall/internal/limit"
	"rolecall/internal/payload"
	"rolecall/internal/realtime"
	"rolecall/internal/sockets"
	"rolecall/internal/sockets/chat"
	"rolecall/internal/sockets/system"
	"rolecall/internal/sockets/tracking"
	"rolecall/test/contracttest"
)

// mute is an engine that nobody connects to.
type mute struct{ realtime.Engine }

func (mute) Namespace(string, realtime.Handler) {}

func newDecoder(t testing.TB) *payload.Decoder {
	t.Helper()
	decoder, err := payload.NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	return decoder
}

// events returns the type of each event's payload, asked of the door itself.
func events(t testing.TB) map[string]reflect.Type {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	mount := sockets.New(sockets.Options{
		Engine: mute{}, Decoder: newDecoder(t), Buckets: limit.NewBuckets(nil, nil), Logger: log,
	})
	return mount.Namespace("/", chat.New(chat.Parts{Logger: log}), tracking.New(nil), system.New(nil, log)).Payloads()
}

// TestEveryEventIsHeld: a domain that is left out above would have events in the contract that are not in its router.
func TestEveryEventIsHeld(t *testing.T) {
	contract := contracttest.NewEvents(t)
	if got := slices.Sorted(maps.Keys(events(t))); !slices.Equal(got, contract.ClientEvents()) {
		t.Errorf("held are %v, and in the contract %v", got, contract.ClientEvents())
	}
}

// routes returns the type of each request's payload, asked of the door itself.
func routes(t testing.TB) map[string]reflect.Type {
	t.Helper()
	door := api.New(api.Options{Decoder: newDecoder(t), Buckets: limit.NewBuckets(nil, nil), Logger: slog.New(slog.DiscardHandler)})
	types := make(map[string]reflect.Type)
	for _, route := range door.Routes() {
		types[route.Method+" "+route.Pattern] = route.Payload
	}
	return types
}

// examples lists what the contract shows as payloads of the events.
func examples(t testing.TB) []string {
	t.Helper()
	contract := contracttest.NewExamples(t)
	var all []string
	for _, name := range slices.Sorted(maps.Keys(events(t))) {
		all = append(all, string(contract.Event(name)))
	}
	return all
}

// types lists the types of both doors, each once.
func types(t testing.TB) []reflect.Type {
	t.Helper()
	seen := make(map[reflect.Type]bool)
	var all []reflect.Type
	for _, taken := range []map[string]reflect.Type{events(t), routes(t)} {
		if len(taken) == 0 {
			t.Fatal("a door takes nothing")
		}
		for _, name := range slices.Sorted(maps.Keys(taken)) {
			if kind := taken[name]; !seen[kind] {
				seen[kind] = true
				all = append(all, kind)
			}
		}
	}
	return all
}
