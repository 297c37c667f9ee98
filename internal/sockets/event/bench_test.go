package event_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"

	"rolecall/internal/access"
	"rolecall/internal/auth"
	"rolecall/internal/call"
	"rolecall/internal/limit"
	"rolecall/internal/realtime"
	"rolecall/internal/roles"
	"rolecall/internal/sockets/event"
	"rolecall/test/socketstest"
)

// deskSocket is a socket without a client.
type deskSocket struct {
	realtime.Socket
	ctx context.Context
}

func (s deskSocket) Context() context.Context { return s.ctx }

func (s deskSocket) Emit(string, any) error { return nil }

// BenchmarkRoute is what the router costs for a small event: limit, decode, validate, handle, answer.
func BenchmarkRoute(b *testing.B) {
	router := event.NewRouter(event.Options{
		Decoder: socketstest.Decoder(b), Buckets: limit.NewBuckets(rates(), nil), Logger: slog.New(slog.DiscardHandler),
	})
	event.On(router, "e", access.Anyone(limit.Other), func(_ context.Context, _ auth.Identity, in text) (text, error) {
		return in, nil
	})
	event.On(router, "p", access.Anyone(limit.Other), call.Later(func(_ context.Context, _ auth.Identity, in text) (outcome[text], error) {
		return func(done func(text, error)) { done(in, nil) }, nil
	}))
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	caller := &event.Caller{Socket: deskSocket{ctx: ctx}, Who: person("amy", roles.Vendor)}
	for _, name := range []string{"e", "p"} {
		answered := 0
		ev := realtime.Event{Name: name, Args: []json.RawMessage{json.RawMessage(`{"text":"abc","n":1}`)},
			Ack: func(any) { answered++ }}
		b.Run(map[string]string{"e": "at once", "p": "pipelined"}[name], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				router.Route(caller, ev)
			}
		})
		if answered == 0 {
			b.Error("no event was answered")
		}
	}
}
