// Package otlp sends traces to a collector by OTLP over HTTP (https://opentelemetry.io/docs/specs/otlp/#otlphttp).
package otlp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	api "go.opentelemetry.io/otel/trace"
)

const (
	// tracesPath is where a collector takes traces.
	tracesPath = "/v1/traces"
	// maxQueued is how many spans wait to be sent; more are dropped, and hold up nothing.
	maxQueued = 4096
	maxBatch  = 512
	// batchDelay is how long spans gather to be sent together.
	batchDelay    = 2 * time.Second
	exportTimeout = 10 * time.Second
)

// Options says where traces go.
type Options struct {
	// Endpoint is the collector's URL, http or https; without a path it is that of the standard.
	Endpoint string
	// Headers are sent with every request, such as what a collector asks for to know whose traces they are.
	Headers map[string]string
	// Ratio is which part of what clients ask for is followed, from 0 to 1.
	Ratio float64
	// Version is the program's.
	Version string
	Logger  *slog.Logger
}

// Traces are on their way to a collector.
type Traces struct{ provider *trace.TracerProvider }

// Open makes ready to send; whether there is a collector shows when the first traces are sent. Close sends what is left.
func Open(ctx context.Context, o Options) (*Traces, error) {
	endpoint, err := url.Parse(o.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	if strings.Trim(endpoint.Path, "/") == "" {
		endpoint.Path = tracesPath
	}
	headers := o.Headers
	if headers == nil {
		headers = map[string]string{} // and none from elsewhere
	}
	options := []otlptracehttp.Option{
		otlptracehttp.WithEndpointURL(endpoint.String()), otlptracehttp.WithHeaders(headers),
		otlptracehttp.WithTimeout(exportTimeout), otlptracehttp.WithCompression(otlptracehttp.GzipCompression),
	}
	if endpoint.Scheme == "https" { // with certificates of the system, and none from elsewhere
		options = append(options, otlptracehttp.WithTLSClientConfig(&tls.Config{MinVersion: tls.VersionTLS12}))
	}
	exporter, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	self := resource.NewSchemaless(attribute.String("service.name", "rolecall"), attribute.String("service.version", o.Version))
	return &Traces{provider: trace.NewTracerProvider(
		trace.WithBatcher(&logged{exporter, self, o.Logger}, trace.WithMaxQueueSize(maxQueued), trace.WithMaxExportBatchSize(maxBatch),
			trace.WithBatchTimeout(batchDelay), trace.WithExportTimeout(exportTimeout)),
		trace.WithSampler(trace.ParentBased(trace.TraceIDRatioBased(o.Ratio))),
		trace.WithRawSpanLimits(trace.SpanLimits{
			AttributeValueLengthLimit: 256, AttributeCountLimit: 32, EventCountLimit: 32, LinkCountLimit: 128,
			AttributePerEventCountLimit: 8, AttributePerLinkCountLimit: 8,
		}),
		trace.WithResource(self),
	)}, nil
}

// Tracer begins traces.
func (t *Traces) Tracer() api.Tracer { return t.provider.Tracer("rolecall") }

// Close sends what is left. It fails where ctx ends first.
func (t *Traces) Close(ctx context.Context) error {
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("traces: send the last: %w", err)
	}
	return nil
}

// logged is an exporter whose failures go to the log, not to a logger that all of the process shares.
type logged struct {
	trace.SpanExporter
	self *resource.Resource
	log  *slog.Logger
}

// span is a span of self alone: the SDK adds what OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME say, which are no settings of ours.
type span struct {
	trace.ReadOnlySpan
	self *resource.Resource
}

// Resource implements trace.ReadOnlySpan.
func (s span) Resource() *resource.Resource { return s.self }

// ExportSpans implements trace.SpanExporter.
func (l *logged) ExportSpans(ctx context.Context, spans []trace.ReadOnlySpan) error {
	own := make([]trace.ReadOnlySpan, len(spans))
	for i := range spans {
		own[i] = span{spans[i], l.self}
	}
	err := l.SpanExporter.ExportSpans(ctx, own)
	if err != nil && !errors.Is(err, context.Canceled) {
		l.log.WarnContext(ctx, "traces not sent, see otlp-endpoint", "spans", len(spans), "error", err)
	}
	return nil // it has been told
}
