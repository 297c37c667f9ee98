// Package docs serves the contract as a page to read, search and try out. The page is drawn in the browser by a renderer
// from elsewhere (Scalar, see the folder scalar), which is embedded and knows both OpenAPI and AsyncAPI.
package docs

import (
	"embed"
	"fmt"
	"net/http"

	"rolecall/internal/packed"
)

//go:embed page.html page.js scalar/standalone.js.gz
var files embed.FS

// contentSecurityPolicy keeps the page to this server: it can load from nowhere else, and tell nobody else what a reader
// types into it. The renderer puts its style sheets and some style attributes into the page by script, hence the
// 'unsafe-inline' of styles. It evaluates no text as script.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; " +
	"img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// handler serves files by their exact paths.
type handler struct {
	files  map[string]packed.File
	failed error
}

// Handler returns a handler that serves the page at "/docs", with all it needs below "/docs/". The documents are an
// OpenAPI and an AsyncAPI one, as YAML.
func Handler(openAPI, asyncAPI []byte) http.Handler {
	loaded, err := load(openAPI, asyncAPI)
	return handler{files: loaded, failed: err}
}

func load(openAPI, asyncAPI []byte) (map[string]packed.File, error) {
	rest, err := explainREST(openAPI)
	if err != nil {
		return nil, fmt.Errorf("openapi: %w", err)
	}
	events, err := explainEvents(asyncAPI)
	if err != nil {
		return nil, fmt.Errorf("asyncapi: %w", err)
	}
	page, err := files.ReadFile("page.html")
	if err != nil {
		return nil, err
	}
	script, err := files.ReadFile("page.js")
	if err != nil {
		return nil, err
	}
	zipped, err := files.ReadFile("scalar/standalone.js.gz")
	if err != nil {
		return nil, err
	}
	const javaScript, document = "text/javascript; charset=utf-8", "application/json; charset=utf-8"
	return map[string]packed.File{
		"/docs":               packed.Plain("text/html; charset=utf-8", page),
		"/docs/page.js":       packed.Plain(javaScript, script),
		"/docs/openapi.json":  packed.Plain(document, rest),
		"/docs/asyncapi.json": packed.Plain(document, events),
		"/docs/scalar.js":     packed.Zipped(javaScript, zipped),
	}, nil
}

// ServeHTTP implements http.Handler.
func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Content-Security-Policy", contentSecurityPolicy)
	if h.failed != nil { // a broken embedded document: the tests keep it from being built
		http.Error(w, "The page cannot be made; see /openapi.yaml and /asyncapi.yaml", http.StatusInternalServerError)
		return
	}
	served, found := h.files[r.URL.Path]
	if !found {
		http.NotFound(w, r)
		return
	}
	served.ServeHTTP(w, r)
}
