// Package traced is a bus that tells traces what is sent to whom: the fan-out of an event is a span within what has caused
// it.
package traced

import (
	"context"

	"go.opentelemetry.io/otel/attribute"

	"rolecall/internal/bus"
	"rolecall/internal/roles"
	"rolecall/internal/tracing"
)

// Bus is a bus with traces.
type Bus struct{ bus.Bus }

// Emitter implements bus.Bus.
func (b Bus) Emitter(namespaces ...string) bus.Emitter { return emitter{b.Bus.Emitter(namespaces...)} }

// LocalEmitter implements bus.Bus.
func (b Bus) LocalEmitter(namespaces ...string) bus.Emitter {
	return emitter{b.Bus.LocalEmitter(namespaces...)}
}

// Publish implements bus.Bus.
func (b Bus) Publish(ctx context.Context, message bus.Message) {
	if tracing.Recorded(ctx) == nil {
		b.Bus.Publish(ctx, message)
		return
	}
	ctx, span := tracing.Start(ctx, "publish "+message.Kind, attribute.Int("rolecall.rooms", len(message.Rooms)))
	defer span.End()
	b.Bus.Publish(ctx, message)
}

type emitter struct{ next bus.Emitter }

// Emit implements bus.Emitter.
func (e emitter) Emit(ctx context.Context, event string, payload any, to []roles.Room, except ...roles.Room) {
	if tracing.Recorded(ctx) == nil {
		e.next.Emit(ctx, event, payload, to, except...)
		return
	}
	ctx, span := tracing.Start(ctx, "emit "+event, attribute.Int("rolecall.rooms", len(to)))
	defer span.End()
	e.next.Emit(ctx, event, payload, to, except...)
}

// EmitNewest implements bus.Emitter.
func (e emitter) EmitNewest(ctx context.Context, event string, newest bus.Newest, to ...roles.Room) {
	if tracing.Recorded(ctx) == nil {
		e.next.EmitNewest(ctx, event, newest, to...)
		return
	}
	ctx, span := tracing.Start(ctx, "emit "+event, attribute.Int("rolecall.rooms", len(to)), attribute.Int("rolecall.values", len(newest.Values)))
	defer span.End()
	e.next.EmitNewest(ctx, event, newest, to...)
}
