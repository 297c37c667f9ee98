// Package contracttest holds what a server answers and sends against the contract's two documents. It is for tests:
// a test runs the server as it is and has every answer, event and ack checked on the way.
//
// The package imports rolecall/api for the documents, so tests of that package use it from package api_test.
package contracttest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"rolecall/api"
)

// maxQuoted is how much of a body a failure quotes, in bytes.
const maxQuoted = 600

// REST checks HTTP answers against openapi.yaml. It is safe for use by many goroutines.
type REST struct {
	document *openapi3.T
	router   routers.Router
}

// NewREST loads openapi.yaml; a document that is not valid fails the test at once.
func NewREST(t testing.TB) *REST {
	t.Helper()
	rest, err := newREST(api.OpenAPIYAML())
	if err != nil {
		t.Fatalf("openapi.yaml: %v", err)
	}
	return rest
}

func newREST(source []byte) (*REST, error) {
	document, err := openapi3.NewLoader().LoadFromData(source)
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	document.Servers = nil // a test's server may be anywhere
	router, err := legacy.NewRouter(document)
	if err != nil {
		return nil, fmt.Errorf("build router: %w", err)
	}
	return &REST{document: document, router: router}, nil
}

// Check reports an answer that openapi.yaml does not allow: an undocumented status or content type, a missing header,
// a body that does not match its schema. An address or method that is not documented may only be answered with a 404
// or 405 problem document. A CORS preflight is left alone. The request's body only helps to explain a failure.
func (c *REST) Check(t testing.TB, req *http.Request, reqBody []byte, resp *http.Response, respBody []byte) {
	t.Helper()
	if err := c.checkResponse(req, reqBody, resp, respBody); err != nil {
		t.Errorf("%s %s was answered with %d, against the contract: %v\nrequest: %s\nanswer: %s",
			req.Method, req.URL.Path, resp.StatusCode, err, quote(reqBody), quote(respBody))
	}
}

// CheckRequest reports a request that openapi.yaml does not allow, so that a test can make sure that what it calls a
// valid request is one. The Authorization header is not looked at.
func (c *REST) CheckRequest(t testing.TB, req *http.Request, reqBody []byte) {
	t.Helper()
	route, params, err := c.router.FindRoute(req)
	if err == nil {
		err = openapi3filter.ValidateRequest(req.Context(), c.input(req, reqBody, route, params))
	}
	if err != nil {
		t.Errorf("%s %s is not a request of the contract: %v\nrequest: %s", req.Method, req.URL.Path, err, quote(reqBody))
	}
}

// Transport returns a RoundTripper that sends requests through base (http.DefaultTransport where nil) and checks every
// answer, but for those of the web page, its assets, the demonstration and Socket.IO.
func (c *REST) Transport(t testing.TB, base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return &transport{t: t, rest: c, base: base}
}

func (c *REST) input(req *http.Request, body []byte, route *routers.Route, params map[string]string) *openapi3filter.RequestValidationInput {
	again := req.Clone(req.Context())
	again.Body = io.NopCloser(bytes.NewReader(body))
	return &openapi3filter.RequestValidationInput{
		Request: again, PathParams: params, Route: route,
		Options: &openapi3filter.Options{
			AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true, SkipSettingDefaults: true,
		},
	}
}

func (c *REST) checkResponse(req *http.Request, reqBody []byte, resp *http.Response, body []byte) error {
	if req.Method == http.MethodOptions {
		return nil
	}
	route, params, err := c.router.FindRoute(req)
	if err != nil {
		return c.checkUnrouted(req, resp, body)
	}
	if req.Method != http.MethodHead {
		if err := checkBody(route, resp, body); err != nil {
			return err
		}
	}
	input := c.input(req, reqBody, route, params)
	if schema := linesOf(route, resp); schema != nil {
		return checkLines(schema, body)
	}
	err = openapi3filter.ValidateResponse(req.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: resp.StatusCode, Header: resp.Header,
		Body: io.NopCloser(bytes.NewReader(body)), Options: input.Options,
	})
	if err != nil {
		return fmt.Errorf("%s: %w", route.Operation.OperationID, err)
	}
	return nil
}

// checkBody looks at what the library passes over: redirects, a body where none is documented, and text behind a JSON
// document.
func checkBody(route *routers.Route, resp *http.Response, body []byte) error {
	documented := route.Operation.Responses.Status(resp.StatusCode)
	switch {
	case documented == nil:
		return errors.New("the status is not documented")
	case len(documented.Value.Content) == 0 && len(body) > 0:
		return errors.New("a body is not documented for this status")
	case isJSON(resp.Header) && !json.Valid(body):
		return errors.New("the body is not one JSON document")
	}
	return nil
}

// checkUnrouted checks the answer to an address or method that the document does not know.
func (c *REST) checkUnrouted(req *http.Request, resp *http.Response, body []byte) error {
	if resp.StatusCode != http.StatusNotFound && resp.StatusCode != http.StatusMethodNotAllowed {
		return errors.New("the address or method is not documented")
	}
	if kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil || kind != "application/problem+json" {
		return fmt.Errorf("an error has the content type application/problem+json, not %q", resp.Header.Get("Content-Type"))
	}
	if req.Method == http.MethodHead {
		return nil
	}
	var problem map[string]any
	if err := json.Unmarshal(body, &problem); err != nil {
		return fmt.Errorf("the body is not a problem document: %w", err)
	}
	if err := c.document.Components.Schemas["Problem"].Value.VisitJSON(problem, openapi3.EnableJSONSchema2020()); err != nil {
		return fmt.Errorf("the body is not a problem document: %w", err)
	}
	if problem["status"] != float64(resp.StatusCode) || problem["code"] != "not_found" {
		return errors.New("the problem document does not say not_found with the status of the answer")
	}
	return nil
}

func isJSON(header http.Header) bool {
	kind, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	return err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json"))
}

func quote(body []byte) string {
	if len(body) > maxQuoted {
		return string(body[:maxQuoted]) + "…"
	}
	return string(body)
}

type transport struct {
	t    testing.TB
	rest *REST
	base http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (tr *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	tr.t.Helper()
	if outside(req.URL.Path) {
		return tr.base.RoundTrip(req)
	}
	sent, reqBody, err := buffered(req)
	if err != nil {
		return nil, err
	}
	resp, err := tr.base.RoundTrip(sent)
	if err != nil {
		return nil, err
	}
	respBody, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	resp.Body = io.NopCloser(bytes.NewReader(respBody))
	tr.rest.Check(tr.t, req, reqBody, resp, respBody)
	return resp, nil
}

// outside reports whether a path is not REST's.
func outside(path string) bool {
	for _, prefix := range []string{"/socket.io/", "/assets/", "/demo/"} {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return path == "/" || path == ""
}

// buffered returns the request with its body read into memory; a RoundTripper leaves the request itself as it is.
func buffered(req *http.Request) (*http.Request, []byte, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return req, nil, nil
	}
	body, err := io.ReadAll(req.Body)
	if err := errors.Join(err, req.Body.Close()); err != nil {
		return nil, nil, fmt.Errorf("read request: %w", err)
	}
	again := req.Clone(req.Context())
	again.Body = io.NopCloser(bytes.NewReader(body))
	return again, body, nil
}
