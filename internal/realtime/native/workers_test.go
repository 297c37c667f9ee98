package native

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestWorkersKeepFewAndNotForLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorkers()
		goOn := make(chan struct{})
		var done sync.WaitGroup
		for range 10 * maxIdleWorkers { // none waits for another
			done.Add(1)
			w.do(func() {
				<-goOn
				done.Done()
			})
		}
		close(goOn)
		done.Wait()
		synctest.Wait()
		if idle := w.idle.Load(); idle != maxIdleWorkers {
			t.Errorf("%d are idle after a crowd, want %d", idle, maxIdleWorkers)
		}
		done.Add(1)
		w.do(done.Done)
		done.Wait()
		synctest.Wait()
		if idle := w.idle.Load(); idle != maxIdleWorkers {
			t.Errorf("%d are idle after one more task, want %d", idle, maxIdleWorkers)
		}
		time.Sleep(2 * workerPatience)
		synctest.Wait()
		if idle := w.idle.Load(); idle != 0 {
			t.Errorf("%d are idle long after", idle)
		}
		w.do(func() {})
		synctest.Wait()
		w.stop()
		w.stop()
		synctest.Wait()
		if idle := w.idle.Load(); idle != 0 {
			t.Errorf("%d are idle after the end", idle)
		}
	})
}
