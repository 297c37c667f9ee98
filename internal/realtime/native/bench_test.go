package native

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"rolecall/internal/realtime"
	"rolecall/internal/realtime/native/codec"
	"rolecall/internal/simulation/sioclient"
)

// lobby puts every socket into one room.
type lobby struct{}

func (lobby) Authenticate(_ context.Context, socket realtime.Socket, _ realtime.Handshake) error {
	socket.Join("lobby")
	return nil
}

func (lobby) Connected(realtime.Socket)             {}
func (lobby) Event(realtime.Socket, realtime.Event) {}
func (lobby) Disconnected(realtime.Socket, string)  {}

// BenchmarkBroadcast is one event emitted to a room of so many sockets, until the last of them has it. Clients and
// server share the process, so most of the time and allocations are the clients'.
func BenchmarkBroadcast(b *testing.B) {
	payload := map[string]any{"at": 1_800_000_000_000, "positions": []any{map[string]any{
		"driverId": "d1", "companyId": "acme", "lat": 52.52, "lng": 13.405, "ts": 1_800_000_000_000, "speed": 8.3}}}
	for _, sockets := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint(sockets), func(b *testing.B) {
			server := New(realtime.Options{Logger: slog.New(slog.DiscardHandler)})
			server.Namespace("/", lobby{})
			web := httptest.NewServer(server)
			defer web.Close()
			defer func() { _ = server.Drain(context.Background()) }()
			var heard atomic.Int64
			everyone := make(chan struct{}, 1)
			for range sockets {
				client, err := sioclient.Dial(b.Context(), web.URL, sioclient.Options{
					OnlyEvents: []string{},
					Observe: func(sioclient.Event) {
						if heard.Add(1)%int64(sockets) == 0 {
							everyone <- struct{}{}
						}
					},
				})
				if err != nil {
					b.Fatal(err)
				}
				defer client.Abort()
			}
			emitter := server.Emitter("/")
			b.ReportAllocs()
			for b.Loop() {
				emitter.Emit("tracking:positions", payload, []string{"lobby"}, nil)
				<-everyone
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(heard.Load()), "ns/delivery")
		})
	}
}

// BenchmarkDecode is one event of a driver as it comes off the wire.
func BenchmarkDecode(b *testing.B) {
	text := []byte(`2/tracking,17["tracking:update",{"lat":52.52,"lng":13.405,"ts":1800000000000,"heading":271.5,"speed":8.3}]`)
	decoder := codec.Decoder{MaxSize: 1 << 20}
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := decoder.Add(text, false); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEncode is one event for a room, encoded once whatever its size.
func BenchmarkEncode(b *testing.B) {
	payload := json.RawMessage(`{"at":1800000000000,"positions":[{"driverId":"d1","companyId":"acme","lat":52.52,"lng":13.405}]}`)
	b.ReportAllocs()
	for b.Loop() {
		codec.AppendEvent(nil, "/tracking", "tracking:positions", nil, payload, 0)
	}
}
