package rooms

import (
	"errors"
	"sync/atomic"

	"github.com/zishang520/socket.io/parsers/socket/v3/parser"
	"github.com/zishang520/socket.io/servers/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"

	"rolecall/internal/realtime/codec"
	"rolecall/internal/realtime/engineio"
)

// Outlet is what the adapter needs of the connection below a socket.
type Outlet interface {
	// Deliver sends the messages of one packet for the namespace.
	Deliver(namespace string, messages []*engineio.Message)
}

// ErrOneServer is the answer to what needs a cluster.
var ErrOneServer = errors.New("rooms: there are no other servers")

// Builder makes an Adapter for each namespace.
type Builder struct{}

// New is part of the library's AdapterConstructor.
func (Builder) New(nsp socket.Namespace) socket.Adapter {
	a := &Adapter{EventEmitter: types.NewEventEmitter()}
	a.table = NewTable(a.announce)
	a.Prototype(a)
	a.Construct(nsp)
	return a
}

// Adapter implements the library's Adapter for one namespace on one server. A
// packet is encoded and framed once, however many sockets it goes to.
type Adapter struct {
	types.EventEmitter

	proto socket.Adapter
	nsp   socket.Namespace
	table *Table
}

var _ socket.Adapter = (*Adapter)(nil)

// announce emits a change as the event that the library promises for it.
func (a *Adapter) announce(change Change) {
	if change.ID == "" {
		a.Emit(types.EventName(change.Kind), change.Room)
		return
	}
	a.Emit(types.EventName(change.Kind), change.Room, change.ID)
}

// Table is who stands where.
func (a *Adapter) Table() *Table { return a.table }

// Deliver sends messages to each connected socket in any of the rooms and none of
// those excepted. No rooms means nobody.
func (a *Adapter) Deliver(rooms, except []Room, messages []*engineio.Message) {
	namespace := a.nsp.Name()
	for _, id := range a.table.Select(rooms, except) {
		a.with(id, func(s *socket.Socket) {
			if outlet, ok := s.Conn().(Outlet); ok {
				outlet.Deliver(namespace, messages)
			}
		})
	}
}

// with calls do with the socket if it is connected.
func (a *Adapter) with(id ID, do func(*socket.Socket)) {
	if s, ok := a.nsp.Sockets().Load(id); ok && s.Connected() {
		do(s)
	}
}

// each calls do with every connected socket that the options mean. Without rooms
// that is everybody, as the library has it.
func (a *Adapter) each(opts *socket.BroadcastOptions, do func(*socket.Socket)) {
	var rooms, except []Room
	if opts != nil && opts.Rooms != nil {
		rooms = opts.Rooms.Keys()
	}
	if opts != nil && opts.Except != nil {
		except = opts.Except.Keys()
	}
	var ids []ID
	if len(rooms) == 0 {
		ids = a.table.Everybody(except)
	} else {
		ids = a.table.Select(rooms, except)
	}
	for _, id := range ids {
		a.with(id, do)
	}
}

// frame encodes a packet for this namespace.
func (a *Adapter) frame(packet *parser.Packet) []*engineio.Message {
	packet.Nsp = a.nsp.Name()
	encoded := a.nsp.Server().Encoder().Encode(packet)
	messages := make([]*engineio.Message, 0, len(encoded))
	for _, buffer := range encoded {
		if e, ok := buffer.(*codec.Encoded); ok && e.Binary {
			messages = append(messages, engineio.BinaryMessage(e.Bytes()))
			continue
		}
		messages = append(messages, engineio.TextMessage(buffer.Bytes()))
	}
	return messages
}

func (a *Adapter) send(packet *parser.Packet, messages []*engineio.Message) func(*socket.Socket) {
	return func(s *socket.Socket) {
		if notify := s.NotifyOutgoingListeners(); notify != nil {
			notify(packet)
		}
		if outlet, ok := s.Conn().(Outlet); ok {
			outlet.Deliver(packet.Nsp, messages)
		}
	}
}

// Broadcast is part of the library's Adapter.
func (a *Adapter) Broadcast(packet *parser.Packet, opts *socket.BroadcastOptions) {
	messages := a.frame(packet)
	a.each(opts, a.send(packet, messages))
}

// BroadcastWithAck is part of the library's Adapter.
func (a *Adapter) BroadcastWithAck(packet *parser.Packet, opts *socket.BroadcastOptions, counted func(uint64), ack socket.Ack) {
	id := a.nsp.Ids()
	packet.Id = &id
	messages := a.frame(packet)
	send := a.send(packet, messages)
	var clients atomic.Uint64
	a.each(opts, func(s *socket.Socket) {
		clients.Add(1)
		s.Acks().Store(id, ack)
		send(s)
	})
	counted(clients.Load())
}
