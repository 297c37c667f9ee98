//go:build unix

package postgres_test

import (
	"context"
	"testing"
	"time"

	"rolecall/test/servers"
)

func TestOneLeadsAndAnotherTakesOver(t *testing.T) {
	t.Parallel()
	url := servers.Database(t)
	const takeOver = 30 * time.Second
	leading, ended := make(chan int, 10), make(chan int, 10)
	lead := func(i int) (stop func()) {
		db := open(t, url)
		ctx, cancel := context.WithCancel(context.Background())
		finished := make(chan struct{})
		go func() {
			defer close(finished)
			db.Lead(ctx, func(ctx context.Context) {
				leading <- i
				<-ctx.Done()
				ended <- i
			})
		}()
		return func() { cancel(); <-finished }
	}
	await := func(from chan int, what string) int {
		t.Helper()
		select {
		case i := <-from:
			return i
		case <-time.After(takeOver):
			t.Fatal("not in time: " + what)
			return 0
		}
	}
	stops := []func(){lead(0), lead(1)}
	defer func() {
		for _, stop := range stops {
			stop()
		}
	}()
	first := await(leading, "one leads")

	// The connection of who leads is killed, as it is when its process dies.
	exec(t, url, `SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
		WHERE l.locktype = 'advisory' AND l.granted AND d.datname = current_database()`)
	if i := await(ended, "who has lost its connection has noticed"); i != first {
		t.Errorf("%d has stopped leading, %d led", i, first)
	}
	second := await(leading, "somebody leads again")

	stops[second]()
	if i := await(ended, "who is stopped leads no longer"); i != second {
		t.Errorf("%d has stopped leading, %d led", i, second)
	}
	if third := await(leading, "the other has taken over"); third == second {
		t.Error("who was stopped leads")
	}
	select {
	case i := <-leading:
		t.Errorf("%d leads as well", i)
	default:
	}
}
