package tracking_test

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/bus"
	"rolecall/internal/payload"
	"rolecall/internal/roles"
	"rolecall/internal/services/tracking"
)

// deaf hears every event and keeps none.
type deaf struct{}

func (deaf) Emit(context.Context, string, any, []roles.Room, ...roles.Room) {}

func (deaf) EmitNewest(context.Context, string, bus.Newest, ...roles.Room) {}

// instantly is a store that has written before it is asked.
type instantly struct{ tracking.Store }

func (instantly) AppendPositions(context.Context, []tracking.Position, []tracking.Driver) error {
	return nil
}

func (instantly) Drivers(context.Context) ([]tracking.Driver, error) { return nil, nil }

func (instantly) DriversOf(context.Context, string) ([]tracking.Driver, error) { return nil, nil }

func benchService(b *testing.B, flush time.Duration) *tracking.Service {
	b.Helper()
	service, err := tracking.New(b.Context(), instantly{}, deaf{}, tracking.Options{
		Flush: flush, Retention: 720 * time.Hour, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = service.Close(context.Background()) })
	return service
}

func decoded(b *testing.B, decoder *payload.Decoder, text []byte) tracking.Update {
	var update tracking.Update
	if err := decoder.Decode(text, &update); err != nil {
		b.Fatal(err)
	}
	return update
}

// BenchmarkPosition is one position decoded, judged, put up for the next flush and handed to the writer.
func BenchmarkPosition(b *testing.B) {
	service, who, decoder := benchService(b, time.Hour), driver("d1", "acme"), newDecoder(b)
	now := time.Now().UnixMilli()
	text := make([][]byte, 1024)
	for i := range text {
		text[i] = fmt.Appendf(nil, `{"lat":52.5%04d,"lng":13.4051,"ts":%d,"heading":271.5,"speed":8.3,"accuracy":4.1}`, i, now+int64(i))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		pending, err := service.Submit(b.Context(), who, decoded(b, decoder, text[i%len(text)]))
		if err != nil {
			b.Fatal(err)
		}
		if i%2048 == 2047 { // a whole batch, which gathers no longer
			if _, err := pending.Wait(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkDecode is what comes before that: a position as phones send it, and a buffer of 500.
func BenchmarkDecode(b *testing.B) {
	const position = `{"lat":52.51234,"lng":13.4051,"ts":1767268800000,"heading":271.5,"speed":8.3,"accuracy":4.1}`
	for name, text := range map[string]string{
		"position":  position,
		"500":       "[" + strings.Repeat(position+",", tracking.MaxBatch-1) + position + "]",
		"all known": `{"lat":52.51234,"lng":13.4051,"ts":"2026-01-01T12:00:00.000Z","heading":271.5,"speed":8.3,"accuracy":4.1,"altitude":34,"battery":0.8,"seq":17}`,
	} {
		b.Run(name, func(b *testing.B) {
			decoder := newDecoder(b)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				decoded(b, decoder, []byte(text))
			}
		})
	}
}

// BenchmarkFlush is a thousand drivers of ten companies who have all moved, sent as one event a room.
func BenchmarkFlush(b *testing.B) {
	decoder := newDecoder(b)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		service := benchService(b, time.Hour)
		for i := range 1000 {
			who := driver(fmt.Sprintf("d%d", i), fmt.Sprintf("c%d", i%10))
			if _, err := service.Submit(b.Context(), who, decoded(b, decoder, []byte(`{"lat":52.5,"lng":13.4,"heading":271.5,"speed":8.3}`))); err != nil {
				b.Fatal(err)
			}
		}
		ended, cancel := context.WithCancel(b.Context())
		cancel()
		b.StartTimer()
		service.Run(ended) // sends what is pending and returns
	}
}

// BenchmarkSnapshot is what a watcher is sent on connection: 20,000 drivers of ten companies are known and drive about.
func BenchmarkSnapshot(b *testing.B) {
	service, decoder := benchService(b, time.Hour), newDecoder(b)
	for i := range 20_000 {
		who := driver(fmt.Sprintf("d%d", i), fmt.Sprintf("c%d", i%10))
		for { // the writer has a bound
			if _, err := service.Submit(b.Context(), who, decoded(b, decoder, []byte(`{"lat":52.5,"lng":13.4,"heading":271.5,"speed":8.3}`))); err == nil {
				break
			}
		}
	}
	for name, who := range map[string]auth.Identity{"company of 2000": staff("c1"), "all 20000": admin()} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := service.Greet(b.Context(), who, listener(func(string, any) error { return nil })); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// heardBy is an emitter that says when a company's fleet is told of positions.
type heardBy struct {
	deaf
	room roles.Room
	at   chan time.Time
}

func (h *heardBy) EmitNewest(_ context.Context, _ string, _ bus.Newest, to ...roles.Room) {
	if slices.Contains(to, h.room) {
		h.at <- time.Now()
	}
}

// BenchmarkFlushBesideGreetings is how long a company's position takes to its watchers while a hundred people at a time are
// greeted with all 20,000 drivers of other companies, of whom 2,000 move in each interval between two flushes.
func BenchmarkFlushBesideGreetings(b *testing.B) {
	const greeters, drivers, flush = 100, 20_000, 100 * time.Millisecond
	for name, at := range map[string]int{"nobody": 0, "a hundred": greeters} {
		b.Run(name, func(b *testing.B) {
			emitted := &heardBy{room: roles.FleetRoom("healthy"), at: make(chan time.Time, 1)}
			service, err := tracking.New(b.Context(), instantly{}, emitted, tracking.Options{Flush: flush, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				b.Fatal(err)
			}
			decoder := newDecoder(b)
			move := func(i, n int) {
				moved := decoded(b, decoder, fmt.Appendf(nil, `{"lat":52.5,"lng":13.4,"heading":271.5,"speed":%d}`, n))
				for { // the writer has a bound
					if _, err := service.Submit(b.Context(), driver(fmt.Sprintf("d%d", i), "big"), moved); err == nil {
						return
					}
				}
			}
			for i := range drivers {
				move(i, 0)
			}
			ctx, stop := context.WithCancel(b.Context())
			var busy sync.WaitGroup
			busy.Go(func() { service.Run(ctx) })
			var greeted atomic.Int64
			for range at {
				busy.Go(func() {
					socket := listener(func(string, any) error { return nil })
					for service.Greet(ctx, admin(), socket) == nil {
						greeted.Add(1)
					}
				})
			}
			busy.Go(func() {
				for n := 1; ctx.Err() == nil; n++ {
					for i := range 2000 {
						move((n*2000+i)%drivers, n%1000)
					}
					time.Sleep(flush)
				}
			})
			var took []time.Duration
			begun := time.Now()
			for i := 0; b.Loop(); i++ {
				sent := time.Now()
				if _, err := service.Submit(b.Context(), driver("dora", "healthy"), decoded(b, decoder, fmt.Appendf(nil, `{"lat":1,"lng":%d}`, i%180))); err != nil {
					b.Fatal(err)
				}
				took = append(took, (<-emitted.at).Sub(sent))
			}
			b.ReportMetric(float64(greeted.Load())/time.Since(begun).Seconds(), "greetings/s")
			slices.Sort(took)
			b.ReportMetric(took[len(took)/2].Seconds()*1000, "p50-ms")
			b.ReportMetric(took[len(took)*99/100].Seconds()*1000, "p99-ms")
			stop()
			busy.Wait()
			_ = service.Close(context.Background())
		})
	}
}

// What a node holds in memory of each driver that it has ever heard of, with a position.
func BenchmarkKnownDriver(b *testing.B) {
	const drivers = 50_000
	held := func() uint64 {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	b.ReportAllocs()
	for b.Loop() {
		before := held()
		service, err := tracking.New(b.Context(), retired{drivers: drivers}, deaf{}, tracking.Options{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(held()-before)/drivers, "B/driver")
		closeService(b, service)
	}
}

// retired is a store of drivers who do nothing any more.
type retired struct {
	instantly
	drivers int
}

func (r retired) Drivers(context.Context) ([]tracking.Driver, error) {
	drivers := make([]tracking.Driver, r.drivers)
	for i := range drivers {
		id, company, speed, seq := fmt.Sprintf("driver-%d", i), fmt.Sprintf("company-%d", i/100), 8.3, int64(i)
		drivers[i] = tracking.Driver{
			DriverID: id, CompanyID: company, Username: "Somebody " + id,
			Newest: &tracking.Position{DriverID: id, CompanyID: company, TS: seq, Lat: 52, Lng: 13, Speed: &speed, Seq: &seq},
		}
	}
	return drivers, nil
}

// What it costs the rounds of who is online that a driver comes, whose saving waits for nobody.
func BenchmarkCameOnline(b *testing.B) {
	service := benchService(b, time.Hour)
	who := make([]auth.Identity, 10_000)
	for i := range who {
		who[i] = driver(fmt.Sprint("d", i), fmt.Sprint("c", i%100))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		service.CameOnline(b.Context(), who[i%len(who)])
	}
}
