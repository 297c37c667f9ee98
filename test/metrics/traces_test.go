package metrics

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"rolecall/internal/config"
	"rolecall/internal/roles"
	"rolecall/test/harness"
)

// receiver is a collector that takes traces by OTLP over HTTP.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	spans []*traces.Span
	keys  []string
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if request.URL.Path != "/v1/traces" {
			t.Errorf("traces are sent to %s", request.URL.Path)
		}
		unzipped, err := gzip.NewReader(request.Body)
		if err != nil {
			t.Errorf("traces: %v", err)
			return
		}
		body, err := io.ReadAll(unzipped)
		var sent collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &sent)
		}
		if err != nil {
			t.Errorf("traces: %v", err)
		}
		r.take(&sent, request.Header.Get("X-Key"))
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) take(sent *collector.ExportTraceServiceRequest, key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys = append(r.keys, key)
	for _, resource := range sent.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			r.spans = append(r.spans, scope.GetSpans()...)
		}
	}
}

// named lists the spans of a name; the receiver has to have been closed.
func (r *receiver) named(name string) (found []*traces.Span) {
	for _, span := range r.spans {
		if span.GetName() == name {
			found = append(found, span)
		}
	}
	return found
}

// follows fails the test unless spans of these names lie each within the one before, all of one trace.
func (r *receiver) follows(t *testing.T, names ...string) {
	t.Helper()
	chains := r.named(names[0])
	for _, name := range names[1:] {
		var next []*traces.Span
		for _, span := range r.named(name) {
			within := func(outer *traces.Span) bool {
				return string(outer.GetSpanId()) == string(span.GetParentSpanId()) && string(outer.GetTraceId()) == string(span.GetTraceId())
			}
			if slices.ContainsFunc(chains, within) {
				next = append(next, span)
			}
		}
		chains = next
	}
	if len(chains) == 0 {
		var all []string
		for _, span := range r.spans {
			all = append(all, span.GetName())
		}
		t.Errorf("no trace goes %s; there are %q", strings.Join(names, " > "), all)
	}
}

// A trace leads from what a client asks for to the commit and to the fan-out, whichever door it came through, and tells
// nothing of anybody.
func TestTracesLeadToCommitAndFanOut(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	s := watched(t, func(c *config.Config) {
		c.OTLPEndpoint, c.OTLPHeaders, c.TraceRatio = r.URL, map[string]string{"X-Key": "k"}, 1
	})
	do(t, s)
	const theirs = "0af7651916cd43dd8448eb211c80319c"
	s.REST(http.MethodGet, "/api/v1/me", harness.Person("amy", roles.Vendor, ""), nil, "traceparent", "00-"+theirs+"-b7ad6b7169203331-01")
	s.Stop()
	r.Close()

	r.follows(t, "chat:message", "commit chat", "store chat")
	r.follows(t, "chat:message", "commit chat", "emit chat:message")
	r.follows(t, "tracking:update", "commit positions", "store tracking")
	r.follows(t, "tracking:update", "flush positions", "emit tracking:positions")
	r.follows(t, "POST /notices", "commit notices", "store notices")
	r.follows(t, "POST /notices", "commit notices", "emit system:notice")
	for _, span := range r.named("GET /me") {
		if strings.Contains(string(span.GetTraceId()), theirs) {
			t.Error("a client chose the trace")
		}
	}
	linked := slices.ContainsFunc(r.named("GET /me"), func(span *traces.Span) bool { return len(span.GetLinks()) == 1 })
	if !linked {
		t.Error("the client's own trace is not linked")
	}
	for _, span := range r.spans {
		for _, secret := range []string{"amy", "dora", "lobby", "acme", "hello"} {
			if strings.Contains(span.String(), secret) {
				t.Errorf("a trace speaks of %s: %s", secret, span)
			}
		}
	}
	if len(r.keys) == 0 || r.keys[0] != "k" {
		t.Errorf("the collector was shown the keys %q", r.keys)
	}
}

// A collector that is not there keeps nothing from working.
func TestNoCollector(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	s := watched(t, func(c *config.Config) { c.OTLPEndpoint, c.TraceRatio = gone.URL, 1 })
	do(t, s)
	s.Stop()
}
