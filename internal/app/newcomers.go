package app

import (
	"net"
	"net/http"
	"sync"
)

// newcomers are the connections on which no whole request has come in yet. Browsers open some in advance, and whoever
// means harm opens many. http.Server.Shutdown would wait for each until it is 5 s old.
type newcomers struct {
	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// track is an http.Server's ConnState.
func (n *newcomers) track(conn net.Conn, state http.ConnState) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if state != http.StateNew {
		delete(n.conns, conn)
		return
	}
	if n.conns == nil {
		n.conns = make(map[net.Conn]struct{})
	}
	n.conns[conn] = struct{}{}
}

// cut closes them.
func (n *newcomers) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for conn := range n.conns {
		_ = conn.Close() // whatever is wrong with it, it is over
	}
}
