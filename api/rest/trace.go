package rest

import (
	"net/http"

	"github.com/go-chi/chi/v5/middleware"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// trace begins a trace with a request. Where the client has one of its own (the header traceparent,
// https://www.w3.org/TR/trace-context/), the two are linked; whether this one is recorded is not the client's to say.
// Attributes are named as in https://opentelemetry.io/docs/specs/semconv/http/http-spans/.
func (e endpoint) trace(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *http.Request, func()) {
	options := []trace.SpanStartOption{trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("http.request.method", r.Method), attribute.String("http.route", e.route))}
	theirs := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	if remote := trace.SpanContextFromContext(theirs); remote.IsValid() {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: remote}))
	}
	ctx, span := e.options.Tracer.Start(r.Context(), e.route, options...)
	answer := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
	return answer, r.WithContext(ctx), func() {
		status := max(answer.Status(), http.StatusOK)
		span.SetAttributes(attribute.Int("http.response.status_code", status))
		if status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}
