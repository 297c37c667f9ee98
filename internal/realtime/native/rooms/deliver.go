package rooms

import (
	"runtime"
	"sync"
	"sync/atomic"

	"rolecall/internal/realtime/native/engineio"
)

// Outlet is where the packets of one socket go.
type Outlet interface {
	// Deliver sends the messages of one packet, all or none, without waiting. It
	// reports false when the socket is not connected.
	Deliver(messages []*engineio.Message) bool
}

// parallelFrom is from how many sockets on several processors share a delivery.
// Fewer take less than some 10 ms, and whoever reads them needs processors too.
const parallelFrom = 2048

// Deliver sends messages to each of the members that is connected, and returns to
// how many. When it returns every outlet has them, so that whoever delivers twice
// does so in order.
func Deliver(members []*Member, messages []*engineio.Message) int {
	workers := min(runtime.GOMAXPROCS(0), len(members)/parallelFrom)
	if workers < 2 {
		return deliverAll(members, messages)
	}
	var delivered atomic.Int64
	var others sync.WaitGroup
	share := (len(members) + workers - 1) / workers
	for ; len(members) > share; members = members[share:] {
		part := members[:share]
		others.Go(func() { delivered.Add(int64(deliverAll(part, messages))) })
	}
	delivered.Add(int64(deliverAll(members, messages)))
	others.Wait()
	return int(delivered.Load())
}

func deliverAll(members []*Member, messages []*engineio.Message) (delivered int) {
	for _, m := range members {
		if m.Outlet.Deliver(messages) {
			delivered++
		}
	}
	return delivered
}
