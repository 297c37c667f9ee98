package app

import (
	"bufio"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

const (
	waitingDeadline = 10 * time.Second
	few             = 5 // connections may wait, of each kind
)

// visitor is a client on a connection of its own.
type visitor struct {
	net.Conn
	t *testing.T
	r *bufio.Reader
}

// visitors begins to serve and returns how to connect to it. A request for /hold is answered when release is closed.
func visitors(t *testing.T, release <-chan struct{}) (w *waiting, connect func() *visitor) {
	t.Helper()
	w = newWaiting(few, few)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hold" {
			<-release
		}
	}))
	server.Config.ConnState = w.track
	server.Start()
	t.Cleanup(server.Close)
	return w, func() *visitor {
		t.Helper()
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_ = conn.SetDeadline(time.Now().Add(waitingDeadline))
		return &visitor{conn, t, bufio.NewReader(conn)}
	}
}

func (v *visitor) send(text string) {
	v.t.Helper()
	if _, err := v.Write([]byte(text)); err != nil {
		v.t.Fatal(err)
	}
}

// answered reads an answer and reports false where the connection has ended instead.
func (v *visitor) answered() bool {
	v.t.Helper()
	answer, err := http.ReadResponse(v.r, nil)
	if err != nil {
		return false
	}
	return answer.Body.Close() == nil && answer.StatusCode == http.StatusOK
}

// become waits until so many connections wait.
func (w *waitlist) become(t *testing.T, want int) {
	t.Helper()
	for end := time.Now().Add(waitingDeadline); ; time.Sleep(time.Millisecond) {
		w.mu.Lock()
		got := len(w.at)
		if got != w.order.Len() {
			t.Errorf("%d connections in a list of %d", got, w.order.Len())
		}
		w.mu.Unlock()
		if got == want {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d connections wait, want %d", got, want)
		}
	}
}

const (
	ask  = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	hold = "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n"
)

// TestIdleConnections: the ones that have been idle for longest are closed for those that become so.
func TestIdleConnections(t *testing.T) {
	t.Parallel()
	w, connect := visitors(t, nil)
	all := make([]*visitor, 2*few)
	for i := range all {
		all[i] = connect()
		all[i].send(ask + ask[:9]) // half of the next request makes no connection less idle
		if !all[i].answered() {
			t.Fatal("a first request is not answered")
		}
		w.idle.become(t, min(i+1, few))
	}
	w.unasked.become(t, 0)
	for i, v := range all[:few] {
		if v.answered() {
			t.Errorf("connection %d is still open", i)
		}
	}
	for i, v := range all[few:] {
		v.send(ask[9:])
		if !v.answered() {
			t.Errorf("connection %d was closed", few+i)
		}
	}
	for _, v := range all {
		_ = v.Close()
	}
	w.idle.become(t, 0)
}

// TestConnectionsWithoutARequest: the oldest are closed for new ones, whether nothing has come in on them or half a request.
// Those that are being answered do not count.
func TestConnectionsWithoutARequest(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	letGo := sync.OnceFunc(func() { close(release) })
	w, connect := visitors(t, release)
	t.Cleanup(letGo)
	busy := make([]*visitor, 2*few)
	for i := range busy {
		busy[i] = connect()
		busy[i].send(hold)
		w.unasked.become(t, 0)
	}
	half := []*visitor{connect(), connect()}
	half[1].send(ask[:9])
	w.unasked.become(t, 2)
	for range few {
		connect()
	}
	for i, v := range half {
		if v.answered() {
			t.Errorf("connection %d is still open", i)
		}
	}
	w.unasked.become(t, few)
	letGo()
	for i, v := range busy {
		if !v.answered() {
			t.Errorf("the request on connection %d is not answered", i)
		}
	}
}
