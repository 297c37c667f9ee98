package event

import (
	"bytes"
	"context"
	"reflect"

	"rolecall/internal/access"
	"rolecall/internal/auth"
	"rolecall/internal/call"
	"rolecall/internal/fault"
	"rolecall/internal/payload"
	"rolecall/internal/realtime"
)

// handler answers the events of one name.
type handler struct {
	rule    access.Rule
	payload reflect.Type
	// attachable: the payload takes binary data.
	attachable bool
	// list: further arguments are further elements of the payload, which is an array.
	list bool
	// awaits: the event is answered when there is room for a long answer.
	awaits bool
	meter  Meter // nil where nobody measures
	run    func(ctx context.Context, caller *Caller, ev realtime.Event) (out any, err error)
}

// Option is something out of the common about an event.
type Option func(*handler)

// AsList takes an event's arguments, where there are several, as the elements of one array: some clients spread a list
// over the arguments. Without it such an event is refused.
func AsList() Option { return func(h *handler) { h.list = true } }

// Long is for an event whose answer may be long: it waits until the client has read most of what it was sent before, so
// that a client which asks for many things at once gets them as fast as it reads.
func Long() Option { return func(h *handler) { h.awaits = true } }

// On has handle answer an event whose access rule is rule. See package call about the shape; binary data goes to an In
// that is a call.Attachable. ctx ends with the socket, and when the rule's time is up. On panics where the rule is
// missing or the event has a handler.
func On[In, Out any](r *Router, name string, rule access.Rule, handle func(ctx context.Context, who auth.Identity, in In) (Out, error), options ...Option) {
	OnSocket(r, name, rule, func(ctx context.Context, caller *Caller, in In) (Out, error) {
		return handle(ctx, caller.Who, in)
	}, options...)
}

// OnSocket is On for what is done with the socket itself, such as to join a room.
func OnSocket[In, Out any](r *Router, name string, rule access.Rule, handle func(ctx context.Context, caller *Caller, in In) (Out, error), options ...Option) {
	rule.MustBeDeclared(name, *new(In))
	if _, twice := r.handlers[name]; twice {
		panic("event: " + name + " has two handlers")
	}
	_, attachable := any(new(In)).(call.Attachable)
	h := &handler{rule: rule, payload: reflect.TypeFor[In](), attachable: attachable, meter: r.meter(name)}
	for _, set := range options {
		set(h)
	}
	h.run = func(ctx context.Context, caller *Caller, ev realtime.Event) (any, error) {
		in, err := decode[In](r.decoder, ev)
		if err := rule.Account(r.buckets, caller.Who, in, err); err != nil {
			return nil, err
		}
		return handle(ctx, caller, in)
	}
	r.handlers[name] = h
}

// accepts refuses what the handler's payload cannot be made of.
func (h *handler) accepts(ev realtime.Event) error {
	switch {
	case ev.TooLarge || size(ev) > h.rule.MaxBytes():
		return fault.Newf(fault.TooLarge, "This event has at most %d bytes", h.rule.MaxBytes())
	case len(ev.Binary) > 0 && !h.attachable:
		return fault.Invalid("", "This event takes no binary data")
	case ev.TooDeep:
		return fault.Invalid("", "The payload is nested too deeply")
	case ev.TooMany:
		return fault.Invalid("", "The event has too many arguments")
	case len(ev.Args) > 1 && !h.list:
		return fault.Invalid("", "This event takes one argument")
	}
	return nil
}

func decode[In any](decoder *payload.Decoder, ev realtime.Event) (in In, err error) {
	if err := decoder.Decode(payloadOf(ev), &in); err != nil {
		return in, err
	}
	if attachable, ok := any(&in).(call.Attachable); ok {
		err = call.Attach(attachable, ev.Binary)
	}
	return in, err
}

// payloadOf is an event's argument, an array of them where there are several. An event without one is taken as one with
// an empty object.
func payloadOf(ev realtime.Event) []byte {
	switch len(ev.Args) {
	case 0:
		return []byte("{}")
	case 1:
		return ev.Args[0]
	}
	elements := make([][]byte, len(ev.Args))
	for i, argument := range ev.Args {
		elements[i] = argument
	}
	list := append([]byte{'['}, bytes.Join(elements, []byte{','})...)
	return append(list, ']')
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
