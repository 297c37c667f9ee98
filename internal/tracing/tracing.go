// Package tracing follows what a client has asked for through the server, in OpenTelemetry's terms
// (https://opentelemetry.io/docs/concepts/signals/traces/). A door begins a trace; whatever works within it adds a span to
// the one that its context carries. Where that is not recorded, which is where tracing is off and for all that is not
// sampled, nothing is made and nothing is kept.
package tracing

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// scope names the program as what has made the spans.
const scope = "rolecall"

// maxLinks is how many of those that share a piece of work it names.
const maxLinks = 64

// Start begins a span within that of ctx, which the caller ends. Where that is not recorded the context is returned as it is.
func Start(ctx context.Context, name string, attributes ...attribute.KeyValue) (context.Context, trace.Span) {
	within := trace.SpanFromContext(ctx)
	if !within.IsRecording() {
		return ctx, within
	}
	return within.TracerProvider().Tracer(scope).Start(ctx, name, trace.WithAttributes(attributes...))
}

// Recorded is the span of ctx, nil where it is not recorded.
func Recorded(ctx context.Context) trace.Span {
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		return span
	}
	return nil
}

// Add returns spans with that of ctx among them, where it is recorded and they are not too many.
func Add(ctx context.Context, spans []trace.Span) []trace.Span {
	if span := Recorded(ctx); span != nil && len(spans) < maxLinks {
		return append(spans, span)
	}
	return spans
}

// Join begins a span for a piece of work that several have asked for: within the first, and linked with all others, both
// ways. Where there are none the context is returned as it is, with a span that records nothing.
func Join(ctx context.Context, spans []trace.Span, name string) (context.Context, trace.Span) {
	if len(spans) == 0 {
		return ctx, trace.SpanFromContext(context.Background())
	}
	first, others := spans[0], spans[1:]
	links := make([]trace.Link, 0, min(len(others), maxLinks))
	for _, other := range others[:cap(links)] {
		links = append(links, trace.Link{SpanContext: other.SpanContext()})
	}
	ctx, joined := first.TracerProvider().Tracer(scope).Start(trace.ContextWithSpan(ctx, first), name,
		trace.WithLinks(links...), trace.WithAttributes(attribute.Int("rolecall.traced", len(spans))))
	for _, other := range others {
		other.AddLink(trace.Link{SpanContext: joined.SpanContext()})
	}
	return ctx, joined
}

// End ends a span, as failed where err is not nil. The error's text is not in it: it may have something of the client's.
func End(span trace.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}
