package docs_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/api"
	"rolecall/api/docs"
)

func get(t *testing.T, handler http.Handler, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, r)
	return answer
}

func contract() http.Handler { return docs.Handler(api.OpenAPIYAML(), api.AsyncAPIYAML()) }

// shown is one of the documents that the page draws.
func shown(t *testing.T, handler http.Handler, name string) map[string]any {
	t.Helper()
	answer := get(t, handler, "/docs/"+name)
	var document map[string]any
	if err := json.Unmarshal(answer.Body.Bytes(), &document); err != nil || answer.Code != http.StatusOK {
		t.Fatalf("%s: %d, %v", name, answer.Code, err)
	}
	return document
}

func at(document any, path ...string) any {
	for _, name := range path {
		object, _ := document.(map[string]any)
		document = object[name]
	}
	return document
}

func TestPageShowsTheContract(t *testing.T) {
	handler := contract()
	rest, events := shown(t, handler, "openapi.json"), shown(t, handler, "asyncapi.json")
	for _, want := range []struct {
		where any
		says  string
	}{
		{at(rest, "paths", "/api/v1/drivers/{id}/positions", "get", "description"), "Only `admin`, `company` and `driver`."},
		{at(rest, "paths", "/api/v1/notices/{id}", "delete", "description"), "Only `admin`."},
		{at(rest, "paths", "/api/v1/notices", "post", "summary"), "Send a notice"},
		{at(rest, "components", "schemas", "MessagePage"), "items"},
		{at(events, "operations", "chatMessage", "title"), "chat:message"},
		{at(events, "operations", "chatMessage", "description"), "**Say something.** At most 10 per 10 s. On `/` and `/chat`."},
		{at(events, "operations", "chatMessage", "messages"), "#/channels/root-receive/messages/chatMessageAck"},
		{at(events, "operations", "emitTrackingPositions", "title"), "tracking:positions"},
		{at(events, "operations", "emitTrackingPositions", "channel"), "#/channels/root-send"},
		{at(events, "channels", "root-receive", "title"), "Sent by clients, on /"},
		{at(events, "channels", "root-send", "title"), "Sent by the server, on /"},
		{at(events, "components", "messages", "chatMessageAck", "title"), "chat:message, acknowledged"},
		{at(events, "components", "schemas", "ErrorEvent"), "object"},
	} {
		if !strings.Contains(fmt.Sprint(want.where), want.says) {
			t.Errorf("%v lacks %q", want.where, want.says)
		}
	}
}

// Every reference within a document has a target, and every operation of the contract is there.
func TestReferences(t *testing.T) {
	handler := contract()
	for name, count := range map[string]int{"openapi.json": 20, "asyncapi.json": 100} {
		document := shown(t, handler, name)
		references := referencesOf(document)
		if len(references) < count {
			t.Errorf("%s has only %d references", name, len(references))
		}
		for _, reference := range references {
			path := strings.Split(strings.TrimPrefix(reference, "#/"), "/")
			if at(document, path...) == nil {
				t.Errorf("%s: %s leads nowhere", name, reference)
			}
		}
	}
}

func referencesOf(value any) []string {
	var found []string
	switch v := value.(type) {
	case map[string]any:
		if reference, ok := v["$ref"].(string); ok {
			found = append(found, reference)
		}
		for _, member := range v {
			found = append(found, referencesOf(member)...)
		}
	case []any:
		for _, member := range v {
			found = append(found, referencesOf(member)...)
		}
	}
	return found
}

// Members keep their order, in which the contract was written to be read.
func TestOrder(t *testing.T) {
	const document = "openapi: 3.1.0\npaths:\n  /b: {get: {}}\n  /a:\n    parameters: [{name: x}]\n    get: {summary: \"a \\\"b\\\" <c>\\n\", x-roles: [vendor]}\n"
	got := get(t, docs.Handler([]byte(document), []byte("asyncapi: 3.0.0")), "/docs/openapi.json").Body.String()
	var values []string
	decoder := json.NewDecoder(strings.NewReader(got))
	for {
		token, err := decoder.Token()
		if err != nil {
			break
		}
		if text, ok := token.(string); ok {
			values = append(values, text)
		}
	}
	want := []string{
		"openapi", "3.1.0", "paths", "/b", "get", "description", "", "/a", "parameters", "name", "x", "get", "summary", "a \"b\" <c>\n",
		"x-roles", "vendor", "description", "Only `vendor`.", "externalDocs", "url", "/openapi.yaml", "description", "openapi.yaml",
	}
	if diff := cmp.Diff(want, values); diff != "" {
		t.Errorf("%s\n%s", got, diff)
	}
}

// The page loads nothing from elsewhere, has no script of its own in it, and its policy lets in no other.
func TestPageIsSelfContained(t *testing.T) {
	answer := get(t, contract(), "/docs")
	page := answer.Body.String()
	for _, foreign := range []string{"//", "<style", "<img", "<iframe", "@import", "url(", "style=", "javascript:", "onload", "<script>"} {
		if strings.Contains(page, foreign) {
			t.Errorf("the page contains %q", foreign)
		}
	}
	policy := answer.Header().Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self';", "connect-src 'self';", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy %q lacks %q", policy, want)
		}
	}
	for _, source := range []string{"*", "http", "unsafe-eval", "script-src 'self' '", "wss:"} {
		if strings.Contains(policy, source) {
			t.Errorf("the policy %q has %q", policy, source)
		}
	}
	for _, file := range strings.Split(page, `src="`)[1:] {
		path, _, _ := strings.Cut(file, `"`)
		if got := get(t, contract(), path); got.Code != http.StatusOK || got.Header().Get("Content-Type") != "text/javascript; charset=utf-8" {
			t.Errorf("%s: %d %v", path, got.Code, got.Header())
		}
	}
	if got := answer.Header().Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Errorf("content type %q", got)
	}
	if got := get(t, contract(), "/docs/page.html").Code; got != http.StatusNotFound {
		t.Errorf("another file: %d", got)
	}
}

// The renderer goes out as it is kept, compressed, to whoever can read that, and unpacked to others.
func TestCompression(t *testing.T) {
	handler := contract()
	plain := get(t, handler, "/docs/scalar.js")
	for accepts, zipped := range map[string]bool{
		"gzip": true, "br, gzip;q=0.5": true, "deflate,GZIP ; q=1": true, "": false, "identity": false, "gzip;q=0": false, "gzip;q=0.0": false, "br": false,
	} {
		answer := get(t, handler, "/docs/scalar.js", "Accept-Encoding", accepts)
		if got := answer.Header().Get("Content-Encoding") == "gzip"; got != zipped || answer.Code != http.StatusOK {
			t.Errorf("%q: %d %v", accepts, answer.Code, answer.Header())
			continue
		}
		if different := answer.Header().Get("ETag") != plain.Header().Get("ETag"); different != zipped || !slices.Contains(answer.Header().Values("Vary"), "Accept-Encoding") {
			t.Errorf("%q: caches would mix the two up: %v", accepts, answer.Header())
		}
		body := io.Reader(answer.Body)
		if zipped {
			var err error
			if body, err = gzip.NewReader(answer.Body); err != nil {
				t.Fatal(err)
			}
		}
		content, err := io.ReadAll(body)
		if err != nil || string(content) != plain.Body.String() || !strings.Contains(string(content), "createApiReference") {
			t.Errorf("%q: %d bytes, %v", accepts, len(content), err)
		}
	}
	for _, path := range []string{"/docs", "/docs/scalar.js", "/docs/asyncapi.json"} {
		etag := get(t, handler, path).Header().Get("ETag")
		if got := get(t, handler, path, "If-None-Match", etag); etag == "" || got.Code != http.StatusNotModified {
			t.Errorf("%s again: %d", path, got.Code)
		}
	}
}

func TestBrokenDocuments(t *testing.T) {
	for name, handler := range map[string]http.Handler{
		"openapi":  docs.Handler([]byte("a: ["), api.AsyncAPIYAML()),
		"asyncapi": docs.Handler(api.OpenAPIYAML(), []byte("a: [")),
	} {
		if got := get(t, handler, "/docs"); got.Code != http.StatusInternalServerError || !strings.Contains(got.Body.String(), "/openapi.yaml") {
			t.Errorf("%s: %d %s", name, got.Code, got.Body)
		}
	}
}
