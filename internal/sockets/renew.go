package sockets

import (
	"context"

	"rolecall/internal/roles"
	"rolecall/internal/sockets/event"
)

// Renewer is a Domain that has something to tell every socket anew when what other nodes told may have been missed.
type Renewer interface {
	// Renew fails as Welcome of a Welcomer does, and is called again then.
	Renew(ctx context.Context, caller *event.Caller) error
}

// Renew has the domains tell all sockets here anew what they may have missed, one after the other. A socket that has not been
// greeted yet is told all of it then.
func (m *Mount) Renew(ctx context.Context) {
	for _, room := range roles.Everyone() {
		for socket := range m.engine.OpenSockets(string(room)) {
			if ctx.Err() != nil {
				return
			}
			var all []telling
			for _, renewer := range m.renewers[socket.Namespace()] {
				all = append(all, renewer.Renew)
			}
			caller := &event.Caller{Socket: socket, Who: credentialOf(socket).identity()}
			if left, err := tellAll(ctx, caller, all); len(left) > 0 && ctx.Err() == nil {
				m.log.WarnContext(ctx, "not everything was told to a socket anew, it is tried again", "user", caller.Who.UserID, "error", err)
				m.tellLater(socket, left, firstTellingWait)
			}
		}
	}
}
