package tracing_test

import (
	"context"
	"errors"
	"testing"

	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"rolecall/internal/tracing"
)

func recording(t *testing.T) (trace.Tracer, *tracetest.SpanRecorder) {
	t.Helper()
	spans := tracetest.NewSpanRecorder()
	return sdk.NewTracerProvider(sdk.WithSpanProcessor(spans)).Tracer("test"), spans
}

// Work that several have asked for lies within the trace of the first, and the others and it know of each other.
func TestJoin(t *testing.T) {
	t.Parallel()
	tracer, spans := recording(t)
	first, one := tracer.Start(t.Context(), "first")
	second, two := tracer.Start(t.Context(), "second")
	asked := tracing.Add(second, tracing.Add(first, nil))
	ctx, joined := tracing.Join(t.Context(), asked, "work")
	_, within := tracing.Start(ctx, "within")
	tracing.End(within, nil)
	tracing.End(joined, errors.New("a text with a name in it"))
	one.End()
	two.End()
	byName := make(map[string]sdk.ReadOnlySpan)
	for _, span := range spans.Ended() {
		byName[span.Name()] = span
	}
	work := byName["work"]
	if work.Parent().SpanID() != one.SpanContext().SpanID() || byName["within"].Parent().SpanID() != work.SpanContext().SpanID() {
		t.Error("the work does not lie within the first, or what is within not in it")
	}
	if links := work.Links(); len(links) != 1 || links[0].SpanContext.TraceID() != two.SpanContext().TraceID() {
		t.Errorf("the work is linked with %v", links)
	}
	if links := byName["second"].Links(); len(links) != 1 || links[0].SpanContext.SpanID() != work.SpanContext().SpanID() {
		t.Errorf("the second is linked with %v", links)
	}
	if status := work.Status(); status.Code != codes.Error || status.Description != "" {
		t.Errorf("the work ended with %v", status)
	}
}

// Where nothing is recorded nothing is made.
func TestNothingRecordedCostsNothing(t *testing.T) {
	ctx := t.Context()
	if allocations := testing.AllocsPerRun(1000, func() {
		within, span := tracing.Start(ctx, "a")
		spans := tracing.Add(within, nil)
		joined, work := tracing.Join(within, spans, "b")
		tracing.End(work, nil)
		tracing.End(span, nil)
		if joined != ctx || tracing.Recorded(joined) != nil {
			t.Error("something was made")
		}
	}); allocations > 0 {
		t.Errorf("%v allocations", allocations)
	}
}

// Of very many who share a piece of work no more are kept than it names.
func TestAddIsBounded(t *testing.T) {
	t.Parallel()
	tracer, _ := recording(t)
	var spans []trace.Span
	for range 1000 {
		ctx, span := tracer.Start(context.Background(), "x")
		spans = tracing.Add(ctx, spans)
		span.End()
	}
	if len(spans) > 64 {
		t.Errorf("%d spans are kept", len(spans))
	}
	ctx, span := tracer.Start(context.Background(), "y")
	if added := tracing.Add(ctx, nil); len(added) != 1 {
		t.Errorf("%d spans of one", len(added))
	}
	span.End()
}
