package native

import (
	"iter"

	"rolecall/internal/realtime"
	"rolecall/internal/realtime/native/rooms"
)

// Watch implements realtime.Engine.
func (s *Server) Watch(watcher realtime.Watcher) {
	s.watch.Set(watcher)
	s.engine.CountTraffic(watcher != nil)
}

// Traffic implements realtime.Engine.
func (s *Server) Traffic() realtime.Traffic {
	counted := s.engine.Traffic()
	t := realtime.Traffic{
		Connections: s.engine.Len(), Polling: counted.Polling, Opened: counted.Opened,
		PacketsIn: counted.PacketsIn, PacketsOut: counted.PacketsOut, BytesIn: counted.BytesIn, BytesOut: counted.BytesOut,
		Sockets: make(map[string]int), Closed: make(map[string]int64, len(counted.Closed)),
	}
	for _, n := range s.allNamespaces() {
		t.Sockets[n.name] = int(n.counters.sockets.Load())
	}
	for reason, count := range counted.Closed {
		t.Closed[string(reason)] = count
	}
	return t
}

// one yields a single socket.
func one(socket *Socket) iter.Seq[realtime.Socket] {
	return func(yield func(realtime.Socket) bool) { yield(socket) }
}

// open yields the members of both lists that are open sockets.
func open(many, beside []*rooms.Member) iter.Seq[realtime.Socket] {
	return func(yield func(realtime.Socket) bool) {
		for _, members := range [][]*rooms.Member{many, beside} {
			for _, member := range members {
				if socket, ok := member.Outlet.(*Socket); ok && socket.isAnswered() && !yield(socket) {
					return
				}
			}
		}
	}
}
