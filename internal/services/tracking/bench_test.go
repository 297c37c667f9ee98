package tracking_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"rolecall/internal/bus"
	"rolecall/internal/roles"
	"rolecall/internal/services/tracking"
)

// deaf hears every event and keeps none.
type deaf struct{}

func (deaf) Emit(context.Context, string, any, []roles.Room, ...roles.Room) {}

func (deaf) EmitNewest(context.Context, string, bus.Newest, ...roles.Room) {}

// instant is a store that has written before it is asked.
type instant struct{ tracking.Store }

func (instant) AppendPositions(context.Context, []tracking.Position, []tracking.Driver) error {
	return nil
}

func (instant) Drivers(context.Context) ([]tracking.Driver, error) { return nil, nil }

func benchService(b *testing.B, flush time.Duration) *tracking.Service {
	b.Helper()
	service, err := tracking.New(b.Context(), instant{}, deaf{}, tracking.Options{
		Flush: flush, Retention: 720 * time.Hour, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = service.Close(context.Background()) })
	return service
}

func decoded(b *testing.B, text string) tracking.Update {
	b.Helper()
	var update tracking.Update
	if err := json.Unmarshal([]byte(text), &update); err != nil {
		b.Fatal(err)
	}
	return update
}

// BenchmarkPosition is one position decoded, judged, put up for the next flush and handed to the writer.
func BenchmarkPosition(b *testing.B) {
	service, who := benchService(b, time.Hour), driver("d1", "acme")
	now := time.Now().UnixMilli()
	text := make([]string, 1024)
	for i := range text {
		text[i] = fmt.Sprintf(`{"lat":52.5%04d,"lng":13.4051,"ts":%d,"heading":271.5,"speed":8.3,"accuracy":4.1}`, i, now+int64(i))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		pending, err := service.Submit(b.Context(), who, decoded(b, text[i%len(text)]))
		if err != nil {
			b.Fatal(err)
		}
		if i%256 == 255 { // a whole batch, which gathers no longer
			if _, err := pending.Wait(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkFlush is a thousand drivers of ten companies who have all moved, sent as one event a room.
func BenchmarkFlush(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		service := benchService(b, time.Hour)
		for i := range 1000 {
			who := driver(fmt.Sprintf("d%d", i), fmt.Sprintf("c%d", i%10))
			if _, err := service.Submit(b.Context(), who, decoded(b, `{"lat":52.5,"lng":13.4,"heading":271.5,"speed":8.3}`)); err != nil {
				b.Fatal(err)
			}
		}
		ended, cancel := context.WithCancel(b.Context())
		cancel()
		b.StartTimer()
		service.Run(ended) // sends what is pending and returns
	}
}
