package native

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// workerPatience is how long an idle worker waits for something to do.
	workerPatience = time.Second
	// maxIdleWorkers is how many of them wait at most: a crowd that has come at once leaves no more behind.
	maxIdleWorkers = 64
)

// workers run the handler's calls for sockets that begin and end. A goroutine that is kept for the next call has its stack
// already, while a new one grows and copies it several times on the way down into a handler and its store. The zero value
// is not ready.
type workers struct {
	tasks   chan func()
	idle    atomic.Int64
	stopped chan struct{}

	stopOnce sync.Once
}

func newWorkers() *workers {
	return &workers{tasks: make(chan func()), stopped: make(chan struct{})}
}

// do runs a task on a goroutine of its own and returns at once.
func (w *workers) do(task func()) {
	select {
	case w.tasks <- task:
	default:
		go w.work(task)
	}
}

// work runs a task and then those that come while it waits.
func (w *workers) work(task func()) {
	task()
	defer w.idle.Add(-1)
	if w.idle.Add(1) > maxIdleWorkers {
		return
	}
	patience := time.NewTimer(workerPatience)
	defer patience.Stop()
	for {
		select {
		case task = <-w.tasks:
		case <-patience.C:
			return
		case <-w.stopped:
			return
		}
		w.idle.Add(-1)
		task()
		if w.idle.Add(1) > maxIdleWorkers {
			return
		}
		patience.Reset(workerPatience)
	}
}

// stop lets the idle ones go. Tasks still run, without being waited for.
func (w *workers) stop() { w.stopOnce.Do(func() { close(w.stopped) }) }
