package app

import (
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/order"
	"rolecall/internal/services/chat/past"
	"rolecall/internal/services/chat/typing"
)

// isOneOfSeveral reports whether other nodes may have the same database, and are heard: the services then take account of what
// those change. Nodes that meet in Redis and have a file each have no rooms in common.
func (p *Program) isOneOfSeveral() bool { return p.redis != nil && p.store.Shared() }

// roomChanged is told by the engine of rooms that have got their first socket here, or lost their last.
func (p *Program) roomChanged(room string) {
	p.redis.RoomChanged(room)
	if p.present != nil {
		p.present.RoomChanged(room)
	}
}

// orderOfRooms is how changes of rooms reach those who listen, and what ends it. Until the groups are there nobody makes any.
func (p *Program) orderOfRooms(sockets chat.Emitter) (inOrder chat.Order, end func()) {
	if !p.isOneOfSeveral() {
		return order.NewLocal(sockets), func() {}
	}
	var beyond chat.Emitter
	if p.bridge != nil {
		beyond = p.bridge.Emitter(p.sharedBy(chatDomain)...)
	}
	cluster := order.NewCluster(order.Parts{
		Beyond: beyond,
		Here:   p.bus.LocalEmitter("/", "/chat"), Bus: p.bus, Log: past.New(p.attachments.Told(p.store.Chat), p.store.Groups), Listeners: p.present,
		MembersChanged: func(room roles.ChatRoom) {
			if p.groups != nil {
				p.groups.MembersChanged(room)
			}
		},
		Missed: func() {
			if p.groups != nil {
				p.groups.Forget()
			}
		},
	}, order.Options{Logger: p.log})
	return cluster, cluster.Close
}

// typingBoard is where signs that somebody writes are kept until they end.
func (p *Program) typingBoard(sockets chat.Emitter) *typing.Board {
	if !p.isOneOfSeveral() {
		return typing.New(sockets)
	}
	return typing.NewOfNodes(sockets, p.bus.LocalEmitter("/", "/chat"), p.bus, p.log)
}
