package sockets

import (
	"context"

	"rolecall/internal/roles"
	"rolecall/internal/sockets/event"
)

// Renewer is a Domain that has something to tell every socket anew when what other nodes told may have been missed.
type Renewer interface {
	Renew(ctx context.Context, caller *event.Caller)
}

// Renew has the domains tell all sockets here anew what they may have missed, one after the other. A socket that has not been
// greeted yet is told all of it then.
func (m *Mount) Renew(ctx context.Context) {
	for _, room := range roles.Everyone() {
		for socket := range m.engine.OpenSockets(string(room)) {
			if ctx.Err() != nil {
				return
			}
			caller := &event.Caller{Socket: socket, Who: credentialOf(socket).identity()}
			for _, renewer := range m.renewers[socket.Namespace()] {
				renewer.Renew(ctx, caller)
			}
		}
	}
}
