package app

import (
	"container/list"
	"net"
	"net/http"
	"sync"
)

const (
	// maxUnasked is how many connections may be open on which the first request is still to come whole. Each costs some 15 kB.
	// After a restart all clients come at once, but each is here for no longer than its request takes to arrive.
	maxUnasked = 4096
	// maxIdle is how many connections may be kept open for a next request. Each costs some 22 kB.
	maxIdle = 1000
)

// waiting is the connections that wait for their client: it is the client who decides for how long. Browsers open some in
// advance and keep some, and whoever means harm opens many and keeps them, so there are only so many of each.
type waiting struct {
	// unasked are those on which no whole request has come in yet. http.Server.Shutdown would wait for each until it is 5 s
	// old.
	unasked waitlist
	// idle are those whose last request has been answered, and the next has not come in.
	idle waitlist
}

func newWaiting(maxUnasked, maxIdle int) *waiting {
	return &waiting{unasked: newWaitlist(maxUnasked), idle: newWaitlist(maxIdle)}
}

// track is an http.Server's ConnState. It hears of a request when all of it has come in but for its body.
func (w *waiting) track(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		w.unasked.add(conn)
	case http.StateIdle:
		w.idle.add(conn)
	default:
		w.unasked.remove(conn)
		w.idle.remove(conn)
	}
}

// waitlist is connections in the order in which they began to wait. Beyond a number the oldest is closed for each new one:
// who waits longest is least likely to be about to ask.
type waitlist struct {
	most int

	mu    sync.Mutex
	order list.List // of net.Conn
	at    map[net.Conn]*list.Element
}

func newWaitlist(most int) waitlist {
	return waitlist{most: most, at: make(map[net.Conn]*list.Element)}
}

func (w *waitlist) add(conn net.Conn) {
	w.mu.Lock()
	w.at[conn] = w.order.PushBack(conn)
	var oldest net.Conn
	if w.order.Len() > w.most {
		oldest = w.dropLocked(w.order.Front())
	}
	w.mu.Unlock()
	if oldest != nil {
		_ = oldest.Close() // whatever is wrong with it, it is over
	}
}

// remove takes a connection out of the list, where it may not be.
func (w *waitlist) remove(conn net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if element, here := w.at[conn]; here {
		w.dropLocked(element)
	}
}

func (w *waitlist) dropLocked(element *list.Element) net.Conn {
	conn, _ := w.order.Remove(element).(net.Conn)
	delete(w.at, conn)
	return conn
}

// cut closes all.
func (w *waitlist) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for conn := range w.at {
		_ = conn.Close()
	}
}
