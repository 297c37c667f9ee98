//go:build linux

// Package load makes load: worker processes that each hold thousands of WebSocket clients in one loop around epoll,
// speak just enough Engine.IO and Socket.IO, and count what they hear. A Crew starts workers and gives them orders; the
// two talk by lines of JSON over the worker's standard input and output.
package load

import (
	"rolecall/bench/histogram"
)

// Order is what a worker is told to do next. Exactly one member is set.
type Order struct {
	Open *Open `json:"open,omitempty"`
	Send *Send `json:"send,omitempty"`
	// Stall names a group whose clients stop reading.
	Stall string `json:"stall,omitempty"`
	// Report asks for what has been counted since it was last asked for.
	Report bool `json:"report,omitempty"`
}

// Open opens a group of clients. The answer comes when each is ready or lost.
type Open struct {
	// Group is the name by which later orders speak of these clients.
	Group string `json:"group"`
	// Server is the address, an IP address and a port.
	Server string `json:"server"`
	// Bare clients speak WebSocket alone; the others connect to the Socket.IO namespace "/".
	Bare bool `json:"bare,omitempty"`
	// Clients are numbered from First; the number makes the user id.
	First int `json:"first"`
	Count int `json:"count"`
	// Secret signs the clients' tokens (HS256).
	Secret string `json:"secret"`
	Role   string `json:"role"`
	// Company is the id of the clients' company. With CompanySize, each so many clients have a company of their own,
	// whose id is Company and a number.
	Company     string `json:"company"`
	CompanySize int    `json:"companySize,omitempty"`
	// Room is joined by room:join before a client is ready, where it is not "".
	Room string `json:"room,omitempty"`
	// Marker stands before the time of sending, in Unix microseconds, in what the group listens for. "" counts nothing.
	Marker string `json:"marker,omitempty"`
	// ReceiveBuffer is the size of the kernel's receive buffer in bytes, 0 for its own choice.
	ReceiveBuffer int `json:"receiveBuffer,omitempty"`
	// Network is the first three bytes of the clients' addresses, such as "127.0.5". Ports run out per address.
	Network string `json:"network"`
	// Parallel is how many handshakes are under way at a time.
	Parallel int `json:"parallel"`
	// Waves starts the next Parallel handshakes only when all of the last have ended.
	Waves bool `json:"waves,omitempty"`
	// Leave closes each client as soon as it is ready.
	Leave bool `json:"leave,omitempty"`
}

// Send has a group send events, evenly spread in time and one client after another, until another order for the same
// group replaces this one.
type Send struct {
	Group string `json:"group"`
	// Event is the JSON array of the event, or, for bare clients, the message. {stamp} stands for the time of sending in
	// Unix microseconds, {millis} for the same in milliseconds. {items} stands for Items times Item, in which these are those
	// of the last item, each before it a millisecond and a microsecond less, so that no two are alike.
	Event string `json:"event"`
	Item  string `json:"item,omitempty"`
	Items int    `json:"items,omitempty"`
	// PerSecond is how many events the whole group sends; 0 ends it.
	PerSecond float64 `json:"perSecond"`
}

// Answer is what a worker says when an order has been carried out.
type Answer struct {
	Error  string  `json:"error,omitempty"`
	Opened *Opened `json:"opened,omitempty"`
	Counts *Counts `json:"counts,omitempty"`
}

// Opened is the outcome of Open.
type Opened struct {
	Ready int `json:"ready"`
	// Lost clients were refused, closed, or not ready in time.
	Lost int `json:"lost"`
	// FirstLoss says why the first of them was.
	FirstLoss string `json:"firstLoss,omitempty"`
	// Times is from the first SYN until a client was ready.
	Times histogram.Histogram `json:"times"`
}

func (o *Opened) merge(other *Opened) {
	o.Ready += other.Ready
	o.Lost += other.Lost
	if o.FirstLoss == "" {
		o.FirstLoss = other.FirstLoss
	}
	o.Times.Merge(&other.Times)
}

// Counts is what clients have sent and heard.
type Counts struct {
	Sent uint64 `json:"sent"`
	// HeldBack events were due and not sent, because the server did not read what had been sent before.
	HeldBack uint64 `json:"heldBack"`
	Acked    uint64 `json:"acked"`
	// Refused events were answered by an ack that reports an error.
	Refused uint64 `json:"refused"`
	// Delivered is how many markers were heard.
	Delivered uint64 `json:"delivered"`
	// Closed clients were closed by the server after they had been ready.
	Closed uint64 `json:"closed"`
	// Latency is from sending to hearing.
	Latency histogram.Histogram `json:"latency"`
	// AckLatency is from sending to the ack.
	AckLatency histogram.Histogram `json:"ackLatency"`
}

func (c *Counts) merge(other *Counts) {
	c.Sent += other.Sent
	c.HeldBack += other.HeldBack
	c.Acked += other.Acked
	c.Refused += other.Refused
	c.Delivered += other.Delivered
	c.Closed += other.Closed
	c.Latency.Merge(&other.Latency)
	c.AckLatency.Merge(&other.AckLatency)
}
