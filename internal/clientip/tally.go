package clientip

import (
	"net/netip"
	"sync/atomic"
)

// Tally counts requests that came with a forwarding header. The zero Tally has seen none.
type Tally struct {
	believed, ignored, unreadable atomic.Int64
	from                          atomic.Pointer[netip.Addr]
}

// Believed is how many had a header of a proxy that is trusted, which named the client.
func (t *Tally) Believed() int64 { return t.believed.Load() }

// Ignored is how many had one of a peer that is not trusted, or one that names the peer itself.
func (t *Tally) Ignored() int64 { return t.ignored.Load() }

// Unreadable is how many had one of a proxy that is trusted, which names no client.
func (t *Tally) Unreadable() int64 { return t.unreadable.Load() }

// IgnoredFrom is the peer of a private network whose header was ignored last; the zero Addr where there was none. Anybody
// on the internet can send such a header, but who does from a private network is a proxy, most likely.
func (t *Tally) IgnoredFrom() netip.Addr {
	if from := t.from.Load(); from != nil {
		return *from
	}
	return netip.Addr{}
}

func (t *Tally) ignore(peer netip.Addr) {
	t.ignored.Add(1)
	if (peer.IsPrivate() || peer.IsLoopback()) && t.IgnoredFrom() != peer {
		t.from.Store(&peer)
	}
}
