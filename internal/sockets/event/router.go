// Package event is what the socket handlers of all domains share: an event is held against its access rule, decoded,
// validated, handed to one function, and answered.
package event

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"runtime/debug"

	"go.opentelemetry.io/otel/trace"

	"rolecall/internal/access"
	"rolecall/internal/auth"
	"rolecall/internal/call"
	"rolecall/internal/fault"
	"rolecall/internal/limit"
	"rolecall/internal/payload"
	"rolecall/internal/realtime"
	"rolecall/internal/roles"
)

// ErrorEvent answers a failed event that carries no ack callback.
const ErrorEvent = "error:event"

// failedCost is for how many packets more a refused event counts: it costs about as much as one that is taken, and no
// rate holds it back.
const failedCost = 9

// Caller is a socket and whom it speaks for.
type Caller struct {
	realtime.Socket
	// Who is the identity at the moment of the event.
	Who auth.Identity
}

// Join puts the socket into rooms.
func (c *Caller) Join(rooms ...roles.Room) { c.Socket.Join(roles.Names(rooms)...) }

// Leave takes the socket out of rooms.
func (c *Caller) Leave(rooms ...roles.Room) { c.Socket.Leave(roles.Names(rooms)...) }

// Rooms lists the rooms the socket stands in.
func (c *Caller) Rooms() []roles.Room { return roles.Rooms(c.Socket.Rooms()) }

// Router knows the handlers of one namespace's events.
type Router struct {
	decoder  *payload.Decoder
	buckets  *limit.Buckets
	log      *slog.Logger
	meters   func(event string) Meter
	handlers map[string]*handler
	// unknown is the meter of events without a handler.
	unknown Meter
	tracer  trace.Tracer
}

// Options is what a Router needs.
type Options struct {
	Decoder *payload.Decoder
	Buckets *limit.Buckets
	Logger  *slog.Logger
	// Meters, where set, makes the meter of the events of one name that has a handler; that of "" is for all others.
	Meters func(event string) Meter
	// Tracer, where set, begins a trace with each event that has a handler.
	Tracer trace.Tracer
}

// NewRouter returns a Router without handlers.
func NewRouter(o Options) *Router {
	r := &Router{decoder: o.Decoder, buckets: o.Buckets, log: o.Logger, meters: o.Meters, handlers: make(map[string]*handler)}
	r.unknown, r.tracer = r.meter(""), o.Tracer
	return r
}

// Rules returns the rule of every event that has a handler.
func (r *Router) Rules() map[string]access.Rule {
	rules := make(map[string]access.Rule, len(r.handlers))
	for name, h := range r.handlers {
		rules[name] = h.rule
	}
	return rules
}

// Payloads returns the type that the payload of each event is decoded into.
func (r *Router) Payloads() map[string]reflect.Type {
	types := make(map[string]reflect.Type, len(r.handlers))
	for name, h := range r.handlers {
		types[name] = h.payload
	}
	return types
}

// Route runs the handler of an event and answers it; a panic is answered like an outage. What the handler begins is
// begun in the order of the calls; an outcome that comes later is answered then.
func (r *Router) Route(caller *Caller, ev realtime.Event) {
	h := r.handlers[ev.Name]
	parent, watch := r.watch(caller, ev.Name, h)
	defer r.answerPanic(caller, ev, watch)
	if err := r.admit(caller, ev, h); err != nil {
		r.fail(caller, ev, watch, err)
		return
	}
	ctx := withTimeout(parent, h.rule.Timeout())
	goesOn := false
	defer func() {
		if !goesOn {
			ctx.end()
		}
	}()
	if h.awaits && caller.AwaitRoom(ctx) != nil {
		r.fail(caller, ev, watch, fault.Busy()) // the client's doing: no line in the log
		return
	}
	out, err := h.run(ctx, caller, ev)
	if err != nil {
		r.fail(caller, ev, watch, err)
		return
	}
	pending, later := out.(call.Pending)
	if !later {
		r.succeed(caller, ev, watch, out)
		return
	}
	goesOn = true
	pending.Deliver(func(out any, err error) {
		defer r.answerPanic(caller, ev, watch)
		defer ctx.end()
		if err != nil {
			r.fail(caller, ev, watch, err)
			return
		}
		r.succeed(caller, ev, watch, out)
	})
}

// answerPanic is deferred, so that a defect in one handler costs its caller no more than a failed event.
func (r *Router) answerPanic(caller *Caller, ev realtime.Event, watch watch) {
	if cause := recover(); cause != nil {
		r.fail(caller, ev, watch, fmt.Errorf("handler panicked: %v\n%s", cause, debug.Stack()))
	}
}

// admit refuses an event that its caller may not send, or for which there is no handler.
func (r *Router) admit(caller *Caller, ev realtime.Event, h *handler) error {
	if h == nil { // a failure however many come: no bucket but that of failures is asked
		return fault.New(fault.NotFound, "There is no such event in this namespace")
	}
	if err := h.rule.Check(r.buckets, caller.Who); err != nil {
		return err
	}
	return h.accepts(ev)
}

func (r *Router) succeed(caller *Caller, ev realtime.Event, watch watch, out any) {
	if ev.Ack != nil {
		answer, err := success(out)
		if err != nil {
			r.fail(caller, ev, watch, fault.Down(err))
			return
		}
		ev.Ack(answer)
	}
	watch.answered()
}

// fail answers with a fault. Who fails on and on is told so and disconnected; who only sends too much at once, as official
// clients do that were away, is not before that goes far beyond what they can have gathered.
func (r *Router) fail(caller *Caller, ev realtime.Event, watch watch, err error) {
	ctx := caller.Context()
	if ctx.Err() != nil {
		watch.abandoned()
		return // the socket is gone, and with it whoever would read the answer
	}
	if fault.Unexpected(err) {
		r.log.ErrorContext(ctx, "event failed", "event", ev.Name, "user", caller.Who.UserID, "error", err)
	}
	caller.Charge(failedCost)
	known := fault.From(err)
	if ev.Ack != nil {
		ev.Ack(failure(known))
	} else {
		r.emit(ctx, caller, errorEvent(ev.Name, known))
	}
	watch.refused(known.Code)
	if known.Code == fault.Unavailable {
		return // the server's failure, not the caller's
	}
	counted := limit.Failure
	if known.Code == fault.RateLimited {
		counted = limit.Shed
	}
	if ok, _ := r.buckets.Take(caller.Who.UserID, counted); ok {
		return
	}
	r.log.WarnContext(ctx, "disconnected for abuse", "user", caller.Who.UserID)
	r.emit(ctx, caller, errorEvent(ev.Name, fault.New(fault.Abuse, "Too many bad events, the connection is closed")))
	caller.Close() // which does not bar the client from coming back: whatever is wrong with it may be mended by then
}

func (r *Router) emit(ctx context.Context, caller *Caller, answer errorAnswer) {
	if err := caller.Emit(ErrorEvent, answer); err != nil {
		r.log.DebugContext(ctx, "error event not sent", "user", caller.Who.UserID, "error", err)
	}
}
