package bridge

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
