// Package fleet plays drivers against a running server over real sockets: recorded trips, or cars that drive around a
// made-up town.
package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"rolecall/internal/roles"
	"rolecall/internal/simulation/town"
	"rolecall/internal/simulation/traces"
)

// Config says which fleet drives where.
type Config struct {
	// URL is the server's address, such as http://127.0.0.1:8080.
	URL string
	// Token returns a token for a driver of a company.
	Token func(driverID, companyID string) (string, error)
	// Companies are those the drivers work for, in turn.
	Companies []string

	// Traces are recorded trips, one a driver. Where there are none, Drivers cars drive around the town, on ways that
	// Seed picks.
	Traces  []traces.Trace
	Drivers int
	Seed    uint64

	// Speed is how many times faster than recorded a trip is driven, at least 1. Default 1.
	Speed float64
	// KeepTime sends recorded time stamps as they are. Otherwise they are shifted so that the latest of a trip falls on
	// the moment when its last point is sent.
	KeepTime bool
	// LongestWait cuts the pauses of a recorded trip, in time as it passes here. Default 5 s.
	LongestWait time.Duration
	// Rate is how many positions a second a made-up car sends. Default 1.
	Rate float64
	// Duration ends made-up drives; 0 lets them go on until ctx ends.
	Duration time.Duration

	// Progress is told how it goes, once every ProgressEvery (default 5 s); nil for silence.
	Progress      io.Writer
	ProgressEvery time.Duration
	Logger        *slog.Logger
	// OnVerdict hears of every position of a driver, by its number in the order of sending, and how the server has
	// judged it: code is "" for an accepted one. It is called from many goroutines, but not twice at once for one driver.
	OnVerdict func(driverID string, index int, sent Position, code string)
}

// ErrNoServer tells that nothing answers at the address, or something that is no such server.
var ErrNoServer = errors.New("no server found")

// Summary is what a fleet has done.
type Summary struct {
	Drivers    int
	Sent       int64
	Accepted   int64
	Rejected   map[string]int64 // by code, and the field at fault
	Reconnects int64
	Elapsed    time.Duration
}

// Run drives until every trip is over, or ctx or Duration ends. Every position sent ends as accepted or rejected,
// whatever becomes of the connections meanwhile. Where there is no server at the start, Run fails at once with an error
// that wraps ErrNoServer.
func Run(ctx context.Context, c Config) (Summary, error) {
	c = c.withDefaults()
	score := &score{rejected: make(map[string]int64)}
	cars, err := c.cars(score)
	if err != nil {
		return Summary{}, err
	}
	score.drivers = len(cars)
	if c.Duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.Duration)
		defer cancel()
	}
	if err := cars[0].find(ctx); err != nil {
		return score.summary(0), err
	}
	begin := time.Now()
	stopProgress := score.report(c.Progress, c.ProgressEvery)
	var driving sync.WaitGroup
	failures := make(chan error, len(cars))
	for _, car := range cars {
		driving.Go(func() {
			if err := car.drive(ctx, begin); err != nil {
				failures <- err
			}
		})
	}
	driving.Wait()
	stopProgress()
	close(failures)
	var all []error
	for err := range failures {
		all = append(all, err)
	}
	summary := score.summary(time.Since(begin))
	return summary, errors.Join(all...)
}

func (c Config) withDefaults() Config {
	if c.Speed == 0 {
		c.Speed = 1
	}
	if c.LongestWait == 0 {
		c.LongestWait = 5 * time.Second
	}
	if c.Rate == 0 {
		c.Rate = 1
	}
	if c.ProgressEvery == 0 {
		c.ProgressEvery = 5 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if len(c.Companies) == 0 {
		c.Companies = []string{roles.DefaultCompany}
	}
	return c
}

// cars mints a car a trip, or Drivers cars for the town.
func (c Config) cars(score *score) ([]*car, error) {
	if c.Speed < 1 {
		return nil, fmt.Errorf("speed %v: a trip cannot be driven slower than it was", c.Speed)
	}
	var cars []*car
	add := func(id string, route source) error {
		company := c.Companies[len(cars)%len(c.Companies)]
		token, err := c.Token(id, company)
		if err != nil {
			return fmt.Errorf("token of %s: %w", id, err)
		}
		cars = append(cars, &car{id: id, token: token, route: route, fleet: c, score: score})
		return nil
	}
	if len(c.Traces) > 0 {
		for i, trace := range c.Traces {
			if err := add(driverID(trace.Name, i), newTrip(trace, c)); err != nil {
				return nil, err
			}
		}
		return cars, nil
	}
	if c.Drivers <= 0 || c.Rate <= 0 {
		return nil, errors.New("a fleet needs traces, or a number of drivers and a rate")
	}
	place, err := town.New()
	if err != nil {
		return nil, err
	}
	random := rand.New(rand.NewPCG(c.Seed, 0))
	every := time.Duration(float64(time.Second) / c.Rate)
	for i := range c.Drivers {
		drive := &madeUp{drive: place.Drive(c.Seed + uint64(i)), every: every,
			at: time.Duration(random.Int64N(int64(every)))}
		if err := add(fmt.Sprintf("car-%03d", i+1), drive); err != nil {
			return nil, err
		}
	}
	return cars, nil
}

// driverID makes a user id of a trace's name.
func driverID(name string, index int) string {
	if roles.ValidUserID(name) {
		return name
	}
	return fmt.Sprintf("trace-%d", index+1)
}
