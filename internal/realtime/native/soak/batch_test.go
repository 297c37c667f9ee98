package soak_test

import (
	"sync"
	"time"
)

// quietBroadcasts is how many broadcasts follow each batch when all is quiet.
const quietBroadcasts = 3

// batch lets each worker perform its script, all at once, waits until all is quiet, and checks what was heard.
func (w *world) batch(scripts [][]operation) {
	lives := w.prepare()
	var group sync.WaitGroup
	for i, script := range scripts {
		group.Go(func() { w.workers[i].run(script) })
	}
	group.Wait()
	if w.t.Failed() {
		w.t.FailNow()
	}
	for _, k := range w.workers {
		lives = append(lives, k.lives...)
	}
	for _, l := range lives {
		if l.leaving != forever {
			w.waitFor(l.ended, "Disconnected after the end of a socket")
		}
	}
	quiet := w.workers[0]
	for i := range quietBroadcasts {
		seed := mix(uint64(w.nextID + i))
		to := roomSet(1)<<(seed%roomCount) | roomSet(1)<<(seed>>8%roomCount)
		quiet.emit(to, roomSet(1)<<(seed>>16%roomCount)&^to, true)
	}
	w.check(lives, w.hear(lives))
	w.nextID += workerCount * maxBroadcasts
}

// maxBroadcasts is how many ids of broadcasts belong to one worker in one batch.
const maxBroadcasts = scriptLength + quietBroadcasts

// prepare makes the workers ready for a batch and returns the sockets that are there already.
func (w *world) prepare() []*life {
	var lives []*life
	now := w.clock.Load()
	for i, k := range w.workers {
		k.lives, k.broadcast, k.firstID = nil, nil, w.nextID+i*maxBroadcasts
		for _, s := range k.slots {
			if s.life == nil {
				continue
			}
			lives = append(lives, s.life)
			for room := range s.life.presence {
				s.life.presence[room].forget(now)
			}
		}
	}
	return lives
}

// hear collects what every socket has heard, in the order of lives.
func (w *world) hear(lives []*life) [][]int {
	for _, l := range lives {
		if l.leaving == forever {
			if err := l.socket().Emit("report", nil); err != nil {
				w.t.Fatalf("a socket is gone that nobody ended: %v", err)
			}
		}
	}
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	heard := make([][]int, len(lives))
	for i, l := range lives {
		select {
		case heard[i] = <-l.reports:
		case <-l.complete:
			if l.leaving == forever {
				w.t.Fatalf("a connection ended that nobody ended")
			}
			heard[i] = l.heard
		case <-deadline.C:
			w.t.Fatalf("a socket has not heard everything that was sent to it")
		}
	}
	return heard
}

// check compares what sockets have heard with what they had to, and could.
func (w *world) check(lives []*life, heard [][]int) {
	var broadcasts []*sent
	for _, k := range w.workers {
		for id := range maxBroadcasts {
			var b *sent
			if id < len(k.broadcast) {
				b = &k.broadcast[id]
			}
			broadcasts = append(broadcasts, b) // by id, counted from the first of the batch
		}
	}
	for i, l := range lives {
		w.checkLife(l, heard[i], broadcasts)
	}
}

func (w *world) checkLife(l *life, heard []int, broadcasts []*sent) {
	came := make([]bool, len(broadcasts))
	var last [workerCount]int // of each worker's, the last that came, by its place in broadcasts
	for worker := range last {
		last[worker] = -1
	}
	for _, id := range heard {
		i := id - w.nextID
		if i < 0 || i >= len(broadcasts) || broadcasts[i] == nil {
			w.t.Errorf("socket %d heard broadcast %d, which is not of this batch", l.id, id)
			continue
		}
		worker := broadcasts[i].worker
		if came[i] {
			w.t.Errorf("socket %d heard broadcast %d twice", l.id, id)
		} else if i < last[worker] {
			w.t.Errorf("socket %d heard broadcast %d after %d, which the same goroutine sent later",
				l.id, id, w.nextID+last[worker])
		}
		came[i], last[worker] = true, max(i, last[worker])
	}
	for i, b := range broadcasts {
		if b == nil {
			continue
		}
		must, mustNot := l.must(b), l.mustNot(b)
		lost := l.lossy && i > last[b.worker] // on its way when the client ended the connection
		switch {
		case must && !came[i] && !lost:
			w.t.Errorf("socket %d has not heard broadcast %d: %s", l.id, w.nextID+i, l.describe(b))
		case mustNot && came[i]:
			w.t.Errorf("socket %d heard broadcast %d: %s", l.id, w.nextID+i, l.describe(b))
		case b.quiet && must == mustNot:
			w.t.Errorf("the model does not know whether socket %d has to hear broadcast %d, though all was quiet: %s",
				l.id, w.nextID+i, l.describe(b))
		}
	}
}
