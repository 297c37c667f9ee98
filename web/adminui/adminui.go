// Package adminui serves the official Socket.IO Admin UI (https://socket.io/docs/v4/admin-ui/), a page for admins to look
// into the Socket.IO server. Its files are embedded, with the fonts and icons that it uses.
package adminui

import (
	"embed"
	"fmt"
	"io/fs"
	"net/http"
	"strings"

	"rolecall/internal/packed"
)

// Version is the release of the npm package @socket.io/admin-ui whose files are embedded.
const Version = "0.5.1"

// Path is where the page is.
const Path = "/admin/ui/"

//go:embed files address.js
var files embed.FS

// contentSecurityPolicy keeps the page to this server: it can load from nowhere else, connect to nowhere else, and tell
// nobody else what is typed into it. Its components put style sheets and some style attributes into the page by script,
// hence the 'unsafe-inline' of styles. It evaluates no text as script.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; " +
	"img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// handler serves files by their exact paths.
type handler struct {
	files  map[string]packed.File
	failed error
}

// Handler returns a handler that serves the page at Path, with all it needs below that.
func Handler() http.Handler {
	loaded, err := load(files)
	return handler{files: loaded, failed: err}
}

// load reads the embedded files, of which the compressed ones are served by their names without .gz.
func load(root fs.FS) (map[string]packed.File, error) {
	loaded := make(map[string]packed.File)
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		plainName, zipped := strings.CutSuffix(strings.TrimPrefix(name, "files/"), ".gz")
		contentType, err := packed.ContentType(plainName)
		if err != nil {
			return err
		}
		served := packed.Plain(contentType, content)
		if zipped {
			served = packed.Zipped(contentType, content)
		}
		if plainName == "index.html" {
			plainName = ""
		}
		loaded[Path+plainName] = served
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("load the Admin UI: %w", err)
	}
	return loaded, nil
}

// ServeHTTP implements http.Handler.
func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Content-Security-Policy", contentSecurityPolicy)
	if h.failed != nil { // a broken embedded file: the tests keep it from being built
		http.Error(w, "The page's files are damaged.", http.StatusInternalServerError)
		return
	}
	switch served, found := h.files[r.URL.Path]; {
	case r.URL.Path+"/" == Path:
		http.Redirect(w, r, Path, http.StatusMovedPermanently) // its files are named relative to it
	case !found:
		http.Error(w, "Not found.", http.StatusNotFound)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		header.Set("Allow", "GET, HEAD")
		http.Error(w, "Only GET and HEAD are possible here.", http.StatusMethodNotAllowed)
	default:
		served.ServeHTTP(w, r)
	}
}
