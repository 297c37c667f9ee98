//go:build linux

package load

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/bench/wsframe"
)

const (
	readBuffer = 256 << 10
	// maxUnsent is how many bytes may wait for the server to read; what is due beyond is held back.
	maxUnsent = 256 << 10
	// handshakePatience is how long handshakes may make no progress until others no longer wait for them.
	handshakePatience = 2 * time.Second
	// handshakeTimeout is after how long a client that is not ready counts as lost.
	handshakeTimeout = 10 * time.Second
	// longestWait bounds how long an order or a time-out goes unnoticed.
	longestWait = 20 * time.Millisecond
)

// worker holds clients. One goroutine does everything.
type worker struct {
	epoll   int
	events  []unix.EpollEvent
	buffer  []byte
	clients map[int]*client
	groups  map[string]*group
	// handshakes are the clients not ready yet, by age, and some that are.
	handshakes []*client
	senders    []*sender
	counts     Counts

	patience, timeout time.Duration // of handshakes
}

func newWorker() (*worker, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	return &worker{
		epoll: epoll, events: make([]unix.EpollEvent, 512), buffer: make([]byte, readBuffer),
		clients: make(map[int]*client), groups: make(map[string]*group),
		patience: handshakePatience, timeout: handshakeTimeout,
	}, nil
}

// close ends all clients.
func (w *worker) close() {
	for _, c := range w.clients {
		w.drop(c)
	}
	_ = unix.Close(w.epoll)
}

// step waits for the network for a moment, takes what has come, and does what is due.
func (w *worker) step() error {
	wait := w.untilNextSend(longestWait)
	n, err := unix.EpollWait(w.epoll, w.events, int((wait+time.Millisecond-1)/time.Millisecond))
	if err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("epoll: %w", err)
	}
	for _, event := range w.events[:max(n, 0)] {
		c := w.clients[int(event.Fd)]
		if c == nil {
			continue // dropped by an event before this one
		}
		if event.Events&unix.EPOLLOUT != 0 {
			w.fail(c, w.writable(c))
		}
		if event.Events&^unix.EPOLLOUT != 0 && c.stage != gone {
			w.fail(c, w.read(c))
		}
	}
	w.endOverdue(time.Now())
	w.sendDue()
	return nil
}

// endOverdue gives up handshakes that take too long. They began in order, so only the first need be looked at.
func (w *worker) endOverdue(now time.Time) {
	for len(w.handshakes) > 0 {
		c := w.handshakes[0]
		if c.stage < ready {
			if now.Sub(c.started) < w.timeout {
				return
			}
			w.fail(c, fmt.Errorf("not ready after %v", w.timeout))
		}
		w.handshakes = w.handshakes[1:]
	}
}

// loseHeart has nobody wait any longer for the handshakes of a group that make no progress.
func (w *worker) loseHeart(g *group, now time.Time) {
	if g.awaited == 0 || now.Sub(g.progress) < w.patience {
		return
	}
	for _, c := range w.handshakes {
		if c.group == g && c.stage < ready {
			c.abandoned = true
		}
	}
	g.awaited = 0
}

// dial begins a client's handshake.
func (w *worker) dial(g *group, number int, token string) error {
	server, err := netip.ParseAddrPort(g.Server)
	if err != nil {
		return fmt.Errorf("server: %w", err)
	}
	source, err := netip.ParseAddr(fmt.Sprintf("%s.%d", g.Network, 1+number%250))
	if err != nil {
		return fmt.Errorf("network: %w", err)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	c := &client{fd: fd, group: g, token: token, started: time.Now()}
	if err := connect(fd, source, server, g.ReceiveBuffer); err != nil {
		return errors.Join(err, unix.Close(fd))
	}
	path := "/socket.io/?EIO=4&transport=websocket"
	if g.Bare {
		path = "/"
	}
	c.out = wsframe.Handshake(g.Server, path)
	interest := &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT, Fd: int32(fd)}
	if err := unix.EpollCtl(w.epoll, unix.EPOLL_CTL_ADD, fd, interest); err != nil {
		return errors.Join(fmt.Errorf("epoll: %w", err), unix.Close(fd))
	}
	w.clients[fd] = c
	g.clients = append(g.clients, c)
	w.handshakes = append(w.handshakes, c)
	g.awaited++
	g.unfinished++
	g.progress = c.started
	return nil
}

func connect(fd int, source netip.Addr, server netip.AddrPort, receiveBuffer int) error {
	// The port is chosen by connect, which may then use one again for another peer; see ip(7).
	err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	err = errors.Join(err, unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
	if receiveBuffer > 0 {
		err = errors.Join(err, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer))
	}
	err = errors.Join(err, unix.Bind(fd, &unix.SockaddrInet4{Addr: source.As4()}))
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	err = unix.Connect(fd, &unix.SockaddrInet4{Addr: server.Addr().As4(), Port: int(server.Port())})
	if err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return fmt.Errorf("connect: %w", err)
	}
	return nil
}

// read takes what has arrived for a client.
func (w *worker) read(c *client) error {
	n, err := unix.Read(c.fd, w.buffer)
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return nil
	case err != nil:
		return fmt.Errorf("%w: %w", errClosed, err)
	case n == 0:
		return errClosed
	}
	data := w.buffer[:n]
	if len(c.held) > 0 {
		data = append(c.held, data...)
	}
	rest, err := w.consume(c, data)
	if len(rest) == 0 {
		c.held = nil
	} else {
		c.held = append([]byte(nil), rest...)
	}
	return err
}

// write sends one message.
func (w *worker) write(c *client, opcode byte, payload []byte) error {
	wasEmpty := len(c.out) == 0
	c.out = wsframe.Append(c.out, opcode, payload)
	if !wasEmpty {
		return nil // it goes when the socket is writable
	}
	if err := w.flush(c); err != nil {
		return err
	}
	if len(c.out) > 0 {
		return w.watch(c, unix.EPOLLIN|unix.EPOLLOUT)
	}
	return nil
}

// writable goes on writing what waits.
func (w *worker) writable(c *client) error {
	if err := w.flush(c); err != nil || len(c.out) > 0 {
		return err
	}
	return w.watch(c, unix.EPOLLIN)
}

// flush writes what waits, as far as the kernel takes it now.
func (w *worker) flush(c *client) error {
	n, err := unix.Write(c.fd, c.out)
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return nil
	case err != nil:
		return fmt.Errorf("%w: %w", errClosed, err)
	case n < len(c.out):
		c.out = append(c.out[:0], c.out[n:]...)
		return nil
	}
	c.out = nil
	return nil
}

func (w *worker) watch(c *client, events uint32) error {
	if c.stage == stalled {
		return nil
	}
	if err := unix.EpollCtl(w.epoll, unix.EPOLL_CTL_MOD, c.fd, &unix.EpollEvent{Events: events, Fd: int32(c.fd)}); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	return nil
}

// becameReady ends a client's handshake.
func (w *worker) becameReady(c *client) {
	c.stage = ready
	w.finished(c)
	c.group.outcome.Ready++
	c.group.outcome.Times.Add(time.Since(c.started))
	if c.group.Leave {
		w.drop(c)
	}
}

func (w *worker) finished(c *client) {
	c.group.unfinished--
	c.group.progress = time.Now()
	if !c.abandoned {
		c.group.awaited--
	}
}

// fail drops a client to which err has happened, if it has.
func (w *worker) fail(c *client, err error) {
	if err == nil || c.stage == gone {
		return
	}
	if c.stage < ready {
		w.finished(c)
		c.group.outcome.Lost++
		if c.group.outcome.FirstLoss == "" {
			c.group.outcome.FirstLoss = err.Error()
		}
	} else {
		w.counts.Closed++
	}
	w.drop(c)
}

// drop closes a client.
func (w *worker) drop(c *client) {
	if c.stage == ready {
		_, _ = unix.Write(c.fd, wsframe.Append(nil, wsframe.Close, []byte{0x03, 0xE8})) // 1000; it may be too late for it
	}
	c.stage = gone
	delete(w.clients, c.fd)
	_ = unix.Close(c.fd)
	c.held, c.out, c.waiting = nil, nil, nil
}
