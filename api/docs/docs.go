// Package docs serves the contract as a page to read, search and try out. The page is drawn in the browser by a renderer
// from elsewhere (Scalar, see the folder scalar), which is embedded and knows both OpenAPI and AsyncAPI.
package docs

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

//go:embed page.html page.js scalar/standalone.js.gz
var files embed.FS

// contentSecurityPolicy keeps the page to this server: it can load from nowhere else, and tell nobody else what a reader
// types into it. The renderer puts its style sheets and some style attributes into the page by script, hence the
// 'unsafe-inline' of styles. It evaluates no text as script.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; " +
	"img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// file is one of the page's files.
type file struct {
	contentType string
	etag        string
	plain       []byte
	// zipped is plain compressed by gzip; empty where that is not worth it.
	zipped []byte
}

// handler serves files by their exact paths.
type handler struct {
	files  map[string]file
	failed error
}

// Handler returns a handler that serves the page at "/docs", with all it needs below "/docs/". The documents are an
// OpenAPI and an AsyncAPI one, as YAML.
func Handler(openAPI, asyncAPI []byte) http.Handler {
	loaded, err := load(openAPI, asyncAPI)
	return handler{files: loaded, failed: err}
}

func load(openAPI, asyncAPI []byte) (map[string]file, error) {
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
	return map[string]file{
		"/docs":               newFile("text/html; charset=utf-8", page),
		"/docs/page.js":       newFile(javaScript, script),
		"/docs/openapi.json":  newFile(document, rest),
		"/docs/asyncapi.json": newFile(document, events),
		"/docs/scalar.js":     {contentType: javaScript, etag: etagOf(zipped), zipped: zipped},
	}, nil
}

func newFile(contentType string, content []byte) file {
	return file{contentType: contentType, etag: etagOf(content), plain: content}
}

func etagOf(content []byte) string {
	digest := sha256.Sum256(content)
	return hex.EncodeToString(digest[:12])
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
	header.Set("Content-Type", served.contentType)
	header.Set("Cache-Control", "public, no-cache")
	content, etag := served.plain, served.etag
	if served.zipped != nil {
		header.Add("Vary", "Accept-Encoding")
		if acceptsGzip(r) {
			header.Set("Content-Encoding", "gzip")
			content, etag = served.zipped, etag+"-gzip"
		} else if unzipped, err := unzip(served.zipped); err == nil {
			content = unzipped
		}
	}
	header.Set("ETag", `"`+etag+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// acceptsGzip reads Accept-Encoding as far as browsers write it: names, some with a weight, of which 0 refuses.
func acceptsGzip(r *http.Request) bool {
	for _, line := range r.Header.Values("Accept-Encoding") {
		for part := range strings.SplitSeq(line, ",") {
			name, weight, _ := strings.Cut(strings.ReplaceAll(part, " ", ""), ";")
			if strings.EqualFold(name, "gzip") {
				return strings.Trim(strings.TrimPrefix(weight, "q="), "0.") != "" || weight == ""
			}
		}
	}
	return false
}

func unzip(zipped []byte) ([]byte, error) {
	reader, err := gzip.NewReader(bytes.NewReader(zipped))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(reader)
}
