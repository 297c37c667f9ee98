// Package event is what the socket handlers of all domains share: an event is limited, decoded, validated, handed to
// one function, and answered.
package event

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/limit"
	"rolecall/internal/payload"
	"rolecall/internal/realtime"
	"rolecall/internal/roles"
)

// ErrorEvent answers a failed event that carries no ack callback.
const ErrorEvent = "error:event"

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
	handlers map[string]handler
}

// handler runs one event. Its first step is done in the order in which a socket's events arrive; later, where it is
// not nil, is the rest, which the socket's next event need not wait for.
type handler struct {
	rule Rule
	run  func(ctx context.Context, caller *Caller, raw []byte) (result any, later Later, err error)
}

// Rule says who may send an event and which bucket it is taken from.
type Rule struct {
	Limit limit.Kind
	// Needs is the permission asked for; "" lets every authenticated caller through.
	Needs roles.Permission
}

// For is the Rule of an event that needs a permission.
func For(kind limit.Kind, needs roles.Permission) Rule { return Rule{Limit: kind, Needs: needs} }

// MaxBytes is the largest event, arguments and attachments together.
const MaxBytes = 100_000

// Later takes what is to be done with the outcome of what a handler has begun. It returns at once; done is called once,
// perhaps before, and must not wait for anything.
type Later func(done func(result any, err error))

// Promise is the Later of a result of any type.
func Promise[R any](then func(func(R, error))) Later {
	return func(done func(any, error)) {
		then(func(result R, err error) { done(result, err) })
	}
}

// NewRouter returns a Router without handlers.
func NewRouter(decoder *payload.Decoder, buckets *limit.Buckets, log *slog.Logger) *Router {
	return &Router{decoder: decoder, buckets: buckets, log: log, handlers: make(map[string]handler)}
}

// On has fn answer an event. Its result's fields become the ack's; nil adds none.
func On[T any](r *Router, name string, rule Rule, fn func(ctx context.Context, caller *Caller, in T) (any, error)) {
	r.handlers[name] = handler{rule: rule, run: func(ctx context.Context, caller *Caller, raw []byte) (any, Later, error) {
		var in T
		if err := r.decoder.Decode(raw, &in); err != nil {
			return nil, nil, err
		}
		result, err := fn(ctx, caller, in)
		return result, nil, err
	}}
}

// OnPipelined is On for what takes a commit: fn submits in order, and the socket's next events go on meanwhile.
func OnPipelined[T any](r *Router, name string, rule Rule, fn func(ctx context.Context, caller *Caller, in T) (Later, error)) {
	r.handlers[name] = handler{rule: rule, run: func(ctx context.Context, caller *Caller, raw []byte) (any, Later, error) {
		var in T
		if err := r.decoder.Decode(raw, &in); err != nil {
			return nil, nil, err
		}
		later, err := fn(ctx, caller, in)
		return nil, later, err
	}}
}

// Rules returns the rule of every event that has a handler.
func (r *Router) Rules() map[string]Rule {
	rules := make(map[string]Rule, len(r.handlers))
	for name, h := range r.handlers {
		rules[name] = h.rule
	}
	return rules
}

// Route runs the handler of an event and answers it; a panic is answered like an outage.
func (r *Router) Route(caller *Caller, ev realtime.Event) {
	ctx := caller.Context()
	defer r.answerPanic(ctx, caller, ev)
	h, err := r.admit(caller, ev)
	if err != nil {
		r.fail(ctx, caller, ev, err)
		return
	}
	result, later, err := h.run(ctx, caller, firstArgument(ev))
	switch {
	case err != nil:
		r.fail(ctx, caller, ev, err)
	case later == nil:
		r.succeed(ctx, caller, ev, result)
	default:
		later(func(result any, err error) {
			defer r.answerPanic(ctx, caller, ev)
			if err != nil {
				r.fail(ctx, caller, ev, err)
				return
			}
			r.succeed(ctx, caller, ev, result)
		})
	}
}

// answerPanic is deferred, so that a defect in one handler costs its caller no more than a failed event.
func (r *Router) answerPanic(ctx context.Context, caller *Caller, ev realtime.Event) {
	if cause := recover(); cause != nil {
		r.fail(ctx, caller, ev, fmt.Errorf("handler panicked: %v\n%s", cause, debug.Stack()))
	}
}

// admit finds the handler of an event that may be run now.
func (r *Router) admit(caller *Caller, ev realtime.Event) (handler, error) {
	h, known := r.handlers[ev.Name]
	if !known {
		h.rule.Limit = limit.Other
	}
	if ok, retryAfter := r.buckets.Take(caller.Who.UserID, h.rule.Limit); !ok {
		return handler{}, &fault.Error{
			Code: fault.RateLimited, Message: "Too many events of this kind, slow down", RetryAfter: retryAfter,
		}
	}
	switch {
	case !known:
		return handler{}, fault.New(fault.NotFound, "There is no such event in this namespace")
	case h.rule.Needs != "" && !caller.Who.Can(h.rule.Needs):
		return handler{}, fault.Newf(fault.Forbidden, "A %s may not send this event", caller.Who.Role)
	case size(ev) > MaxBytes:
		return handler{}, fault.Newf(fault.TooLarge, "An event has at most %d bytes", MaxBytes)
	case len(ev.Binary) > 0:
		return handler{}, fault.Invalid("", "This event takes no binary data")
	case ev.TooDeep:
		return handler{}, fault.Invalid("", "The payload is nested too deeply")
	}
	return h, nil
}

func size(ev realtime.Event) int {
	total := 0
	for _, argument := range ev.Args {
		total += len(argument)
	}
	for _, attachment := range ev.Binary {
		total += len(attachment)
	}
	return total
}

// firstArgument is an event's payload; an event without one is taken as one with an empty object.
func firstArgument(ev realtime.Event) []byte {
	if len(ev.Args) == 0 {
		return []byte("{}")
	}
	return ev.Args[0]
}

func (r *Router) succeed(ctx context.Context, caller *Caller, ev realtime.Event, result any) {
	if ev.Ack == nil {
		return
	}
	answer, err := success(result)
	if err != nil {
		r.fail(ctx, caller, ev, fault.Down(err))
		return
	}
	ev.Ack(answer)
}

// fail answers with a fault. Who fails on and on is told so and disconnected.
func (r *Router) fail(ctx context.Context, caller *Caller, ev realtime.Event, err error) {
	if ctx.Err() != nil {
		return // the socket is gone, and with it whoever would read the answer
	}
	if fault.Unexpected(err) {
		r.log.ErrorContext(ctx, "event failed", "event", ev.Name, "user", caller.Who.UserID, "error", err)
	}
	known := fault.From(err)
	if ev.Ack != nil {
		ev.Ack(failure(known))
	} else {
		r.emit(ctx, caller, errorEvent(ev.Name, known))
	}
	if known.Code == fault.Unavailable {
		return // the server's failure, not the caller's
	}
	if ok, _ := r.buckets.Take(caller.Who.UserID, limit.Failure); ok {
		return
	}
	r.log.WarnContext(ctx, "disconnected for abuse", "user", caller.Who.UserID)
	r.emit(ctx, caller, errorEvent(ev.Name, fault.New(fault.Abuse, "Too many bad events, the connection is closed")))
	caller.Disconnect(true)
}

func (r *Router) emit(ctx context.Context, caller *Caller, answer errorAnswer) {
	if err := caller.Emit(ErrorEvent, answer); err != nil {
		r.log.DebugContext(ctx, "error event not sent", "user", caller.Who.UserID, "error", err)
	}
}
