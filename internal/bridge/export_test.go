package bridge

import "context"

// What tests outside of the package look at.

// OwnEvents are how the server's own events begin.
func OwnEvents() []string { return own() }

// AllowsRoom, AllowsEntry and AllowsEvent ask a policy.
func (p Policy) AllowsRoom(room string) bool   { return p.allowsRoom(room) }
func (p Policy) AllowsEntry(room string) bool  { return p.allowsEntry(room) }
func (p Policy) AllowsEvent(event string) bool { return p.allowsEvent(event) }

// Waiting are the bytes that wait to be sent.
func (b *Bridge) Waiting() int {
	b.outbox.mu.Lock()
	defer b.outbox.mu.Unlock()
	return b.outbox.bytes
}

// MaxWaiting is the bound of that.
const MaxWaiting = maxWaiting

// Handle handles a request, or a broadcast on the channel of which the end is behind, as if it had come in a namespace.
func (b *Bridge) Handle(ctx context.Context, namespace string, request bool, behind string, message []byte) {
	n := b.namespaces[namespace]
	came := incoming{namespace: n, kind: kindBroadcast, channel: n.channels.Broadcast(nil) + behind, message: string(message)}
	if request {
		came.kind, came.channel = kindRequest, n.channels.Requests()
	}
	b.handle(ctx, &came)
	_ = b.outbox.take(batch, func(o outgoing) int { return len(o.message) }) // nobody sends
}
