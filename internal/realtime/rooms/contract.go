package rooms

import (
	"github.com/zishang520/socket.io/servers/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"
)

// The rest of the library's Adapter.

// Prototype is part of the library's Adapter.
func (a *Adapter) Prototype(proto socket.Adapter) { a.proto = proto }

// Proto is part of the library's Adapter.
func (a *Adapter) Proto() socket.Adapter { return a.proto }

// Construct is part of the library's Adapter.
func (a *Adapter) Construct(nsp socket.Namespace) { a.nsp = nsp }

// Nsp is part of the library's Adapter.
func (a *Adapter) Nsp() socket.Namespace { return a.nsp }

// Init is part of the library's Adapter.
func (a *Adapter) Init() {}

// Close is part of the library's Adapter.
func (a *Adapter) Close() {}

// ServerCount is part of the library's Adapter.
func (a *Adapter) ServerCount() int64 { return 1 }

// AddAll is part of the library's Adapter.
func (a *Adapter) AddAll(id ID, rooms *types.Set[Room]) { a.table.Join(id, rooms.Keys()...) }

// Del is part of the library's Adapter.
func (a *Adapter) Del(id ID, room Room) { a.table.Leave(id, room) }

// DelAll is part of the library's Adapter.
func (a *Adapter) DelAll(id ID) { a.table.LeaveAll(id) }

// Rooms copies which sockets stand in each room.
func (a *Adapter) Rooms() *types.Map[Room, *types.Set[ID]] {
	rooms, _ := a.table.Dump()
	out := &types.Map[Room, *types.Set[ID]]{}
	for room, ids := range rooms {
		out.Store(room, types.NewSet(ids...))
	}
	return out
}

// Sids copies in which rooms each socket stands.
func (a *Adapter) Sids() *types.Map[ID, *types.Set[Room]] {
	_, ids := a.table.Dump()
	out := &types.Map[ID, *types.Set[Room]]{}
	for id, rooms := range ids {
		out.Store(id, types.NewSet(rooms...))
	}
	return out
}

// Sockets is part of the library's Adapter.
func (a *Adapter) Sockets(rooms *types.Set[Room]) *types.Set[ID] {
	ids := types.NewSet[ID]()
	a.each(&socket.BroadcastOptions{Rooms: rooms}, func(s *socket.Socket, _ Outlet) { ids.Add(s.Id()) })
	return ids
}

// SocketRooms copies the rooms of a socket; nil for one that is not known.
func (a *Adapter) SocketRooms(id ID) *types.Set[Room] {
	rooms, known := a.table.RoomsOf(id)
	if !known {
		return nil
	}
	return types.NewSet(rooms...)
}

// FetchSockets is part of the library's Adapter.
func (a *Adapter) FetchSockets(opts *socket.BroadcastOptions) func(func([]socket.SocketDetails, error)) {
	return func(callback func([]socket.SocketDetails, error)) {
		sockets := []socket.SocketDetails{}
		a.each(opts, func(s *socket.Socket, _ Outlet) { sockets = append(sockets, s) })
		callback(sockets, nil)
	}
}

// AddSockets is part of the library's Adapter.
func (a *Adapter) AddSockets(opts *socket.BroadcastOptions, rooms []Room) {
	a.each(opts, func(s *socket.Socket, _ Outlet) { s.Join(rooms...) })
}

// DelSockets is part of the library's Adapter.
func (a *Adapter) DelSockets(opts *socket.BroadcastOptions, rooms []Room) {
	a.each(opts, func(s *socket.Socket, _ Outlet) {
		for _, room := range rooms {
			s.Leave(room)
		}
	})
}

// DisconnectSockets is part of the library's Adapter.
func (a *Adapter) DisconnectSockets(opts *socket.BroadcastOptions, closeConnection bool) {
	a.each(opts, func(s *socket.Socket, _ Outlet) { s.Disconnect(closeConnection) })
}

// ServerSideEmit is part of the library's Adapter.
func (a *Adapter) ServerSideEmit([]any) error { return ErrOneServer }

// PersistSession does nothing: connection state recovery is not offered.
func (a *Adapter) PersistSession(*socket.SessionToPersist) {}

// RestoreSession never finds a session.
func (a *Adapter) RestoreSession(socket.PrivateSessionId, string) (*socket.Session, error) {
	return nil, nil
}
