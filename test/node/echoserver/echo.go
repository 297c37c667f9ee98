package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/url"
	"time"

	"rolecall/internal/realtime"
)

const (
	// greetings is how many events a socket hears right behind the answer to CONNECT.
	greetings = 3
	// maxHeld is how many acks a socket may have held back; the ones beyond are given at once.
	maxHeld = 100
	// tickInterval is the time between two events that the server sends of its own accord.
	tickInterval = time.Millisecond
)

// echo is the handler of every namespace. The client's events and what becomes of them:
//
//	echo         comes back as the event "echoed", and then in the ack, attachments in base64
//	mirror       comes back as the event "mirrored", and then in the ack, attachments as such
//	ask-me       comes back as the question "question"; the ack is the answer
//	silent       gets no ack
//	ack-twice    is acked with 1, and then with 2
//	hold         is acked only after the next release, the latest one first
//	release      lets the held acks go and is acked behind them
//	deaf         its first argument is a number n: the socket's first n of them get no ack, the next one its number
//	ticks        starts the events "tick" 0, 1, 2 and so on
//	stop-ticks   ends them and is acked with how many there were
//	handshake    is acked with what the client presented to connect
//	leave        takes the socket out of the namespace
//	hang-up      closes its connection
type echo struct{ log *slog.Logger }

// session is the state of one socket. Its handler's calls never overlap.
type session struct {
	handshake handshake
	held      []func()
	deafFor   int
	// stopTicks ends the ticks and counts them; nil while there are none.
	stopTicks func() int
}

// handshake is the ack of the event of that name.
type handshake struct {
	Auth          json.RawMessage `json:"auth,omitempty"`
	Query         url.Values      `json:"query"`
	Authorization string          `json:"authorization"` // the header
}

// content is what came with an event, attachments in base64.
type content struct {
	Args   []json.RawMessage `json:"args"`
	Binary [][]byte          `json:"binary"`
}

func contentOf(ev realtime.Event) content {
	attachments := make([][]byte, len(ev.Binary))
	for i, bytes := range ev.Binary {
		attachments[i] = append([]byte{}, bytes...) // an empty one may be nil, which JSON would tell from ""
	}
	return content{ev.Args, attachments}
}

// Authenticate lets everybody in.
func (echo) Authenticate(_ context.Context, conn realtime.Socket, hs realtime.Handshake) error {
	conn.SetData(&session{handshake: handshake{
		Auth: hs.Auth, Query: hs.Query(), Authorization: hs.Authorization,
	}})
	return nil
}

// Connected greets.
func (e echo) Connected(conn realtime.Socket) {
	for n := range greetings {
		e.emit(conn, "hello", n)
	}
}

// Disconnected has nothing to do: ticks end with the socket's context.
func (echo) Disconnected(realtime.Socket, string) {}

// Event does what the table above says.
func (e echo) Event(conn realtime.Socket, ev realtime.Event) {
	s, ok := conn.Data().(*session)
	if !ok { // Authenticate sets it
		return
	}
	ack := ev.Ack
	if ack == nil {
		ack = func(any) {}
	}
	switch ev.Name {
	case "echo":
		came := contentOf(ev)
		e.emit(conn, "echoed", came)
		ack(came)
	case "mirror":
		came := mirrored(ev)
		e.emit(conn, "mirrored", came)
		ack(came)
	case "ask-me":
		go e.askBack(conn, ev, ack) // the answer comes by the goroutine that is running now
	case "silent":
	case "ack-twice":
		ack(1)
		ack(2)
	case "hold":
		s.hold(func() { ack(contentOf(ev)) })
	case "release":
		s.release()
		ack(nil)
	case "deaf":
		s.deaf(ev, ack)
	case "ticks":
		s.startTicks(conn, e)
		ack(nil)
	case "stop-ticks":
		ack(s.countTicks())
	case "handshake":
		ack(s.handshake)
	case "leave":
		conn.Disconnect(false)
	case "hang-up":
		conn.Disconnect(true)
	default:
		ack("there is no such event")
	}
}

func (e echo) emit(conn realtime.Socket, event string, payload any) {
	if err := conn.Emit(event, payload); err != nil && conn.Context().Err() == nil {
		e.log.Error("cannot emit", "event", event, "error", err)
	}
}

// mirrored is what came with an event, attachments as such.
func mirrored(ev realtime.Event) any {
	args, err := json.Marshal(ev.Args)
	if err != nil {
		return err.Error()
	}
	return realtime.Payload{JSON: args, Attachments: ev.Binary}
}

// askBack sends the arguments back as a question and acks with the arguments of the client's answer.
func (e echo) askBack(conn realtime.Socket, ev realtime.Event, ack func(any)) {
	answer, err := conn.Call(conn.Context(), "question", mirrored(ev))
	if err != nil {
		ack(err.Error())
		return
	}
	ack(answer.Args)
}

func (s *session) hold(ack func()) {
	if len(s.held) >= maxHeld {
		ack()
		return
	}
	s.held = append(s.held, ack)
}

func (s *session) release() {
	for i := len(s.held) - 1; i >= 0; i-- {
		s.held[i]()
	}
	s.held = nil
}

func (s *session) deaf(ev realtime.Event, ack func(any)) {
	times := 0
	if len(ev.Args) == 0 || json.Unmarshal(ev.Args[0], &times) != nil {
		ack("the first argument must be a number")
		return
	}
	if s.deafFor++; s.deafFor > times {
		ack(s.deafFor)
		s.deafFor = 0
	}
}

func (s *session) startTicks(conn realtime.Socket, e echo) {
	s.countTicks()
	ctx, cancel := context.WithCancel(conn.Context())
	count := make(chan int, 1)
	go func() {
		ticker := time.NewTicker(tickInterval)
		defer ticker.Stop()
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				count <- n
				return
			case <-ticker.C:
				e.emit(conn, "tick", n)
			}
		}
	}()
	s.stopTicks = func() int {
		cancel()
		return <-count
	}
}

// countTicks ends the ticks, if there are any, and says how many there have been.
func (s *session) countTicks() int {
	if s.stopTicks == nil {
		return 0
	}
	count := s.stopTicks()
	s.stopTicks = nil
	return count
}
