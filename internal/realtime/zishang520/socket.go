package zishang520

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	sio "github.com/zishang520/socket.io/servers/socket/v3"

	"rolecall/internal/realtime"
)

// maxCalls is how many calls of one socket may wait for their answers. One that was given up waits as well: the library
// cannot take it back.
const maxCalls = 100

// Socket implements realtime.Socket.
type Socket struct {
	namespace *namespace
	io        *sio.Socket
	ctx       context.Context //nolint:containedctx // it is the socket's lifetime
	cancel    context.CancelFunc
	calls     atomic.Int32
	gathers   atomic.Pointer[gathering] // nil where nothing is gathered

	// welcomed: the handler knows the socket. Only the socket's queue asks.
	welcomed bool
	// leaving is the first word of the socket's end, left the last; the library may begin with it twice at once.
	leaving, left sync.Once
	hasLeft       chan struct{}
	lastRooms     atomic.Pointer[[]string] // set when the socket leaves its rooms
}

func newSocket(n *namespace, io *sio.Socket) *Socket {
	s := &Socket{namespace: n, io: io, hasLeft: make(chan struct{})}
	s.ctx, s.cancel = context.WithCancel(connectionOf(io).ctx)
	io.OnAny(s.handle)
	_ = io.On("disconnecting", s.leave) // none of these fails
	_ = io.On("disconnect", func(...any) { s.left.Do(func() { close(s.hasLeft) }) })
	return s
}

// Namespace implements realtime.Socket.
func (s *Socket) Namespace() string { return s.namespace.name }

// ID implements realtime.Socket.
func (s *Socket) ID() string {
	if !s.io.Connected() {
		return ""
	}
	return string(s.io.Id())
}

// Context implements realtime.Socket.
func (s *Socket) Context() context.Context { return s.ctx }

// SetData implements realtime.Socket.
func (s *Socket) SetData(value any) { s.io.SetData(value) }

// Data implements realtime.Socket.
func (s *Socket) Data() any { return s.io.Data() }

// Join implements realtime.Socket.
func (s *Socket) Join(rooms ...string) {
	s.io.Join(roomsOf(rooms)...)
	s.changed(rooms)
}

// changed tells of rooms that the socket has come into or left.
func (s *Socket) changed(rooms []string) {
	if tell := s.namespace.engine.options.RoomChanged; tell != nil {
		for _, room := range rooms {
			tell(room)
		}
	}
}

// Leave implements realtime.Socket.
func (s *Socket) Leave(rooms ...string) {
	for _, room := range rooms {
		s.io.Leave(sio.Room(room))
	}
	s.changed(rooms)
}

// ShareRate implements realtime.Socket. The library reads as fast as a client sends.
func (s *Socket) ShareRate(string) {}

// Charge implements realtime.Socket. Nothing is counted here.
func (s *Socket) Charge(int) {}

// InRoom implements realtime.Socket.
func (s *Socket) InRoom(room string) bool { return s.io.Rooms().Has(sio.Room(room)) }

// standsIn is InRoom with Everyone, where there is that room.
func (s *Socket) standsIn(room string) bool {
	return room == realtime.Everyone && s.namespace.engine.options.SocketRooms || s.InRoom(room)
}

// Rooms implements realtime.Socket.
func (s *Socket) Rooms() []string {
	if last := s.lastRooms.Load(); last != nil {
		return append([]string(nil), *last...)
	}
	rooms := []string{}
	for _, room := range s.io.Rooms().Keys() {
		if room != sio.Room(s.io.Id()) { // which each socket has for itself
			rooms = append(rooms, string(room))
		}
	}
	return rooms
}

// Emit implements realtime.Socket.
func (s *Socket) Emit(event string, payload any) error {
	arguments, err := argumentsOf(payload)
	if err != nil {
		return fmt.Errorf("zishang520: encode %s: %w", event, err)
	}
	if !s.io.Connected() {
		return realtime.ErrNotConnected
	}
	s.flush()
	err = s.io.Emit(event, arguments...)
	if watcher := s.namespace.engine.watch.Watcher(); watcher != nil && err == nil {
		watcher.Sent(event, one(s))
	}
	return err
}

// AwaitRoom implements realtime.Socket. What waits in the library has no bound.
func (s *Socket) AwaitRoom(context.Context) error {
	if !s.io.Connected() {
		return realtime.ErrNotConnected
	}
	return nil
}

// Call implements realtime.Socket.
func (s *Socket) Call(ctx context.Context, event string, payload any) (realtime.Answer, error) {
	arguments, err := argumentsOf(payload)
	if err != nil {
		return realtime.Answer{}, fmt.Errorf("zishang520: encode %s: %w", event, err)
	}
	if !s.io.Connected() {
		return realtime.Answer{}, realtime.ErrNotConnected
	}
	if s.calls.Add(1) > maxCalls {
		s.calls.Add(-1)
		return realtime.Answer{}, realtime.ErrTooManyCalls
	}
	s.flush()
	answer := make(chan realtime.Answer, 1)
	err = s.io.Emit(event, append(arguments, func(args []any, _ error) {
		s.calls.Add(-1)
		came, _ := args[0].(realtime.Event) // the decoder has put it there
		answer <- realtime.Answer{Args: came.Args, Binary: came.Binary}
	})...)
	if err != nil {
		s.calls.Add(-1)
		return realtime.Answer{}, err
	}
	select {
	case came := <-answer:
		return came, nil
	case <-s.ctx.Done():
		return realtime.Answer{}, realtime.ErrNotConnected
	case <-ctx.Done():
		return realtime.Answer{}, ctx.Err()
	}
}

// Close implements realtime.Socket.
// A client that is silent hears no goodbye, for which the library would wait.
//
// What has been sent is waited for, but not for long: with the library alone a connection has been seen to stay for seconds.
func (s *Socket) Close() {
	conn := s.io.Conn()
	conn.Close(s.Silence() > 0)
	time.AfterFunc(farewellPatience, func() { conn.Close(true) })
}

// Silence implements realtime.Socket.
func (s *Socket) Silence() time.Duration {
	if asked := connectionOf(s.io).asked.Load(); asked != nil {
		return max(time.Since(*asked), 1) // whatever the clock's grain
	}
	return 0
}

// Connection implements realtime.Socket.
func (s *Socket) Connection() realtime.Connection {
	conn, request := s.io.Conn(), s.io.Request().Request()
	return realtime.Connection{
		ID: conn.Id(), Transport: conn.Transport().Name(), RemoteAddr: request.RemoteAddr, UserAgent: request.UserAgent(),
		Origin: request.Header.Get("Origin"), RawQuery: request.URL.RawQuery,
	}
}

// Ping implements realtime.Socket. The library sends pings by its own clock alone.
func (s *Socket) Ping() {}

// Disconnect implements realtime.Socket.
func (s *Socket) Disconnect(closeConnection bool) {
	if closeConnection && !s.io.Connected() { // the library would do nothing
		s.io.Conn().Close(false)
		return
	}
	s.flush()
	s.io.Disconnect(closeConnection)
}

// sendAway is Disconnect with closeConnection for a client that is to stay away. Its connection is closed a little later:
// official clients that are told both at once take the connection for lost, and come back by themselves.
func (s *Socket) sendAway() {
	if !s.io.Connected() {
		s.Disconnect(true)
		return
	}
	conn := s.io.Conn()
	s.Disconnect(false)
	time.AfterFunc(farewellPatience, func() { conn.Close(false) }) // most have closed it by then
}

// The life of a socket: admit (of its namespace), welcome, handle, leave and settle. All of it but leave runs in the
// socket's queue, one after the other.

// welcome tells the handler of a socket whose CONNECT has been answered.
func (s *Socket) welcome() {
	s.welcomed = true
	connectionOf(s.io).entering.Unlock()
	if s.io.Conn().ReadyState() == "closed" {
		s.io.Disconnect(false) // the library does not always see by itself that the connection has ended meanwhile
	}
	defer s.namespace.recoverFrom("connect")
	if watcher := s.namespace.engine.watch.Watcher(); watcher != nil {
		watcher.Opened(s)
	}
	s.namespace.handler.Connected(s)
}

// settle lets go of a socket that was refused, or whose client has left before it was welcome.
func (s *Socket) settle() {
	if !s.welcomed {
		connectionOf(s.io).entering.Unlock()
		s.changed(s.Rooms())
		s.gone()
	}
}

// handle gives an event to the handler: its name, what the decoder has made of its arguments, and the library's ack.
func (s *Socket) handle(args ...any) {
	if !s.io.Connected() || len(args) < 2 {
		return
	}
	ev, ok := args[1].(realtime.Event)
	if !ok { // the decoder has put it there
		return
	}
	if ack, ok := args[len(args)-1].(sio.Ack); ok {
		ev.Ack = s.ack(ev.Name, ack)
	}
	defer s.namespace.recoverFrom(ev.Name)
	if watcher := s.namespace.engine.watch.Watcher(); watcher != nil {
		watcher.Received(s, ev.Name)
	}
	s.namespace.handler.Event(s, ev)
}

// ack answers an event. The library lets the first call count.
func (s *Socket) ack(event string, answer sio.Ack) func(any) {
	return func(payload any) {
		arguments, err := argumentsOf(payload)
		if err != nil {
			s.namespace.engine.options.Logger.Error("cannot encode ack", "namespace", s.namespace.name, "event", event, "error", err)
			arguments = []any{nil} // a client that waits for ever is worse off
		}
		s.flush()
		answer(arguments, nil)
	}
}

// leave is told by the library, on any goroutine, that the socket is about to leave its rooms. The queue, in which the
// handler may be busy, is open for the last time.
func (s *Socket) leave(args ...any) {
	s.leaving.Do(func() {
		rooms := s.Rooms()
		s.lastRooms.Store(&rooms)
		s.cancel()
		s.io.Enqueue(func() {
			<-s.hasLeft
			s.changed(rooms)
			defer s.gone()
			defer s.namespace.recoverFrom("disconnect")
			reason := fmt.Sprint(args[0])
			if watcher := s.namespace.engine.watch.Watcher(); watcher != nil {
				watcher.Ended(s, reason)
			}
			s.namespace.handler.Disconnected(s, reason)
		})
	})
}

// gone lets go of a socket that its handler will not hear of again.
func (s *Socket) gone() {
	s.cancel()
	if g := s.gathers.Load(); g != nil {
		g.timer.Stop()
		s.namespace.gatherers.Delete(s.io.Id())
	}
	s.namespace.sockets.Delete(s.io.Id())
	s.namespace.engine.running.End()
}

func roomsOf(names []string) []sio.Room {
	rooms := make([]sio.Room, len(names))
	for i, name := range names {
		rooms[i] = sio.Room(name)
	}
	return rooms
}
