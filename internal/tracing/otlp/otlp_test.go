package otlp_test

import (
	"compress/gzip"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"rolecall/internal/tracing/otlp"
)

// The variables by which the SDK is told things by itself change nothing of what is sent, nor where, nor how it is asked for.
func TestNoVariablesOfTheSDK(t *testing.T) {
	var mu sync.Mutex
	attributes, spans, headers := make(map[string]string), 0, make(http.Header)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		unzipped, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		body, err := io.ReadAll(unzipped)
		var sent collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &sent)
		}
		if err != nil {
			t.Error(err)
		}
		headers = r.Header
		for _, resource := range sent.GetResourceSpans() {
			for _, attribute := range resource.GetResource().GetAttributes() {
				attributes[attribute.GetKey()] = attribute.GetValue().GetStringValue()
			}
			for _, scope := range resource.GetScopeSpans() {
				spans += len(scope.GetSpans())
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	defer receiver.Close()
	for variable, value := range map[string]string{
		"OTEL_RESOURCE_ATTRIBUTES": "team=red,service.version=9", "OTEL_SERVICE_NAME": "other", "OTEL_TRACES_SAMPLER": "always_off",
		"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_HEADERS": "x-key=k",
		"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "1", "OTEL_EXPORTER_OTLP_COMPRESSION": "none", "OTEL_BSP_MAX_QUEUE_SIZE": "1",
		"OTEL_SPAN_EVENT_COUNT_LIMIT": "0", "OTEL_EXPORTER_OTLP_CERTIFICATE": "/nowhere",
	} {
		t.Setenv(variable, value)
	}
	traces, err := otlp.Open(t.Context(), otlp.Options{Endpoint: receiver.URL, Ratio: 1, Version: "v1", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		_, span := traces.Tracer().Start(t.Context(), "try")
		span.End()
	}
	if err := traces.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	want := map[string]string{"service.name": "rolecall", "service.version": "v1"}
	if diff := cmp.Diff(want, attributes); diff != "" || spans != 3 || headers.Get("X-Key") != "" {
		t.Errorf("%d spans, headers %v: %s", spans, headers, diff)
	}
}
