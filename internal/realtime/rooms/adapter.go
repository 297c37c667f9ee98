package rooms

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/zishang520/socket.io/parsers/socket/v3/parser"
	"github.com/zishang520/socket.io/servers/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"

	"rolecall/internal/realtime/codec"
	"rolecall/internal/realtime/engineio"
)

// Outlet is where the packets of one socket go.
type Outlet interface {
	// Deliver sends the messages of one packet, all or none, without waiting. It
	// reports false when the socket is not connected.
	Deliver(messages []*engineio.Message) bool
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
	name := types.EventName(change.Kind)
	switch {
	case a.ListenerCount(name) == 0:
	case change.ID == "":
		a.Emit(name, change.Room)
	default:
		a.Emit(name, change.Room, change.ID)
	}
}

// Table is who stands where.
func (a *Adapter) Table() *Table { return a.table }

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
		if m.Outlet != nil && m.Outlet.Deliver(messages) {
			delivered++
		}
	}
	return delivered
}

// each calls do with every connected socket that the options mean. Without rooms
// that is everybody, as the library has it.
func (a *Adapter) each(opts *socket.BroadcastOptions, do func(*socket.Socket, Outlet)) {
	var rooms, except []Room
	if opts != nil && opts.Rooms != nil {
		rooms = opts.Rooms.Keys()
	}
	if opts != nil && opts.Except != nil {
		except = opts.Except.Keys()
	}
	var members []*Member
	if len(rooms) == 0 {
		members = a.table.Everybody(except)
	} else {
		members = a.table.Select(rooms, except)
	}
	for _, m := range members {
		if s, ok := a.nsp.Sockets().Load(m.ID); ok && s.Connected() && m.Outlet != nil {
			do(s, m.Outlet)
		}
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

func (a *Adapter) send(packet *parser.Packet, messages []*engineio.Message) func(*socket.Socket, Outlet) {
	return func(s *socket.Socket, outlet Outlet) {
		if notify := s.NotifyOutgoingListeners(); notify != nil {
			notify(packet)
		}
		outlet.Deliver(messages)
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
	a.each(opts, func(s *socket.Socket, outlet Outlet) {
		clients.Add(1)
		s.Acks().Store(id, ack)
		send(s, outlet)
	})
	counted(clients.Load())
}
