//go:build unix

// Package cluster tests several servers, processes of their own, that share a PostgreSQL database and meet in Redis, with faults
// among them: against a model of what was promised, by what PostgreSQL has in the end.
//
// SOAK=1 in the environment asks for the whole of it, SEED for a run's own seed once more. What people decide follows from the
// seed; what meets what, from the machine.
package cluster

import (
	"context"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"rolecall/test/harness"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// size is that of a usual run, or the whole of it with SOAK=1.
func size() scale {
	if os.Getenv("SOAK") == "1" {
		return scale{
			people: 200, rooms: 50, lasting: 10 * time.Second, quiet: 2 * time.Second, between: 2 * time.Second, staying: 15 * time.Second,
		}
	}
	return scale{
		people: 60, rooms: 15, lasting: 3 * time.Second, quiet: time.Second, between: time.Second, staying: 8 * time.Second,
	}
}

// seed is that of SEED, or another each time. It is told in any case.
func seed(t *testing.T) uint64 {
	t.Helper()
	s := rand.Uint64()
	if text := os.Getenv("SEED"); text != "" {
		var err error
		if s, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("SEED: %v", err)
		}
	}
	t.Logf("SEED=%d", s)
	return s
}

// TestWhatWasPromisedHoldsThroughFaults: people of all roles, on three nodes, write, make groups and leave them, send notices and
// positions, and lose their connections, while a node is killed and started again, Redis is stopped, connections to it are
// frozen, PostgreSQL is stopped, and a node is cut off from Redis. Then every member has every message once and in order, as
// the store has it, inboxes are right, watchers see the newest positions, and who is shown to be there is who is.
func TestWhatWasPromisedHoldsThroughFaults(t *testing.T) {
	scale, seed := size(), seed(t)
	random := rand.New(rand.NewPCG(seed, 0))
	c := startCluster(t)
	town := newTown(t, c, scale, random)
	town.faults.began = time.Now()
	ctx, end := context.WithCancel(context.Background())
	var everybody sync.WaitGroup
	defer everybody.Wait()
	defer end()
	calm, stop := make(chan struct{}), make(chan struct{})
	for _, d := range town.each(false) {
		everybody.Go(func() { d.connect(ctx, calm) })
	}
	var busy sync.WaitGroup
	busy.Go(func() { town.busy(ctx, seed, stop, 5*(scale.lasting+scale.quiet)) })
	c.strike(random, scale.lasting, scale.quiet)
	close(stop)
	busy.Wait()
	close(calm)
	t.Log("all is said")
	for _, p := range town.people {
		for _, d := range p.devices {
			if !p.stays {
				close(d.leave)
			}
		}
	}
	c.awaitReady()
	stored := c.readStore(t)
	t.Logf("%d messages were acknowledged, %d notices, positions of %d drivers, %d removals from %d groups",
		len(town.promises.messages), len(town.promises.notices), len(town.promises.fixes), len(town.promises.removals),
		len(town.promises.groups))
	town.settle(func(v *verdict) {
		town.judgeDevices(stored, v)
		town.judgeMembers(stored, v)
		town.judgePictures(stored, v)
	})
	town.settle(town.judgeAnswers)
	var v verdict
	town.judgeStore(stored, &v)
	town.judgeHistory(stored, &v)
	town.complain(&v)
	if len(town.faults.lines) > 0 {
		t.Errorf("%d times something was heard or answered that should not have been:\n%s",
			town.faults.count, strings.Join(town.faults.lines, "\n"))
	}
}

// settle waits until there is nothing to say against what is judged, for as long as a test waits for anything.
func (town *town) settle(judge func(v *verdict)) {
	town.t.Helper()
	deadline := time.Now().Add(harness.Deadline)
	for {
		var v verdict
		judge(&v)
		if len(v.lines) == 0 {
			return
		}
		if time.Now().After(deadline) {
			town.complain(&v)
			return
		}
		pass(again)
	}
}

func (town *town) complain(v *verdict) {
	town.t.Helper()
	if len(v.lines) > 0 {
		town.t.Errorf("%d faults:\n%s", len(v.lines), strings.Join(v.lines[:min(len(v.lines), maxFaults)], "\n"))
	}
}
