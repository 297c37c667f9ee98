package event

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"rolecall/internal/fault"
)

// Meter hears of what has become of the events of one name, each of them once. It must not wait for anything.
type Meter interface {
	// Answered is told how long an event took that was answered as it should be.
	Answered(took time.Duration)
	// Refused is told of one that failed.
	Refused(code string, took time.Duration)
	// Abandoned is told of one whose socket was gone before it was answered.
	Abandoned()
}

// watch follows one event. That of a router without meters and traces costs nothing.
type watch struct {
	meter Meter // nil where nobody measures
	since time.Time
	span  trace.Span // nil where nobody traces
}

func (r *Router) meter(event string) Meter {
	if r.meters == nil {
		return nil
	}
	return r.meters(event)
}

// watch begins to follow an event with that handler, nil for none. What is done for the event is done with the context.
func (r *Router) watch(caller *Caller, name string, h *handler) (context.Context, watch) {
	ctx, w := caller.Context(), watch{meter: r.unknown}
	if h != nil {
		w.meter = h.meter
		if r.tracer != nil {
			ctx, w.span = r.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
				attribute.String("rolecall.namespace", caller.Namespace()), attribute.String("rolecall.role", string(caller.Who.Role))))
		}
	}
	if w.meter != nil {
		w.since = time.Now()
	}
	return ctx, w
}

func (w watch) answered() {
	if w.meter != nil {
		w.meter.Answered(time.Since(w.since))
	}
	if w.span != nil {
		w.span.End()
	}
}

func (w watch) refused(code fault.Code) {
	if w.meter != nil {
		w.meter.Refused(string(code), time.Since(w.since))
	}
	w.endSpan(string(code), code == fault.Unavailable)
}

func (w watch) abandoned() {
	if w.meter != nil {
		w.meter.Abandoned()
	}
	w.endSpan("gone", false)
}

// endSpan ends the trace of an event that was not answered as it should be; failed: the server could not.
func (w watch) endSpan(outcome string, failed bool) {
	if w.span == nil {
		return
	}
	w.span.SetAttributes(attribute.String("rolecall.outcome", outcome))
	if failed {
		w.span.SetStatus(codes.Error, "")
	}
	w.span.End()
}
