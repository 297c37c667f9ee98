// Package web holds the page that the server shows at "/" and the official Socket.IO browser client, both
// embedded in the binary, and serves them over HTTP.
package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"rolecall/internal/packed"
)

// SocketIOClientVersion is the release of the npm package socket.io-client whose files are embedded.
const SocketIOClientVersion = "4.8.4"

//go:embed static
var pageFiles embed.FS

//go:embed socketio/*.js socketio/*.map
var clientFiles embed.FS

// contentSecurityPolicy lets the page load nothing but its own files. No inline script or style runs, so a text
// that somehow became markup would still be inert.
const contentSecurityPolicy = "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; " +
	"style-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Handler serves the page at "/" and its files under "/assets/". Every other path is 404; methods other than GET
// and HEAD are 405. File names carry no version, so browsers keep a copy and ask again each time by ETag.
func Handler() http.Handler {
	files, err := loadPage(pageFiles)
	return fileServer{files: files, failed: err, setHeaders: setPageHeaders}
}

// SocketIOClient serves the official browser client, with its source maps, where Socket.IO servers put it:
// /socket.io/socket.io.js, /socket.io/socket.io.min.js and /socket.io/socket.io.esm.min.js.
func SocketIOClient() http.Handler {
	files, err := loadClient(clientFiles)
	return fileServer{files: files, failed: err, setHeaders: setClientHeaders}
}

// file is one embedded file, ready to be served.
type file struct {
	content     []byte
	contentType string
	etag        string
}

// fileServer serves a fixed set of files by exact URL path. Nothing is looked up in a file system at request time,
// so no path can climb out of the set.
type fileServer struct {
	files      map[string]file
	failed     error
	setHeaders func(http.Header)
}

// ServeHTTP implements http.Handler.
func (s fileServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.setHeaders(w.Header())
	if s.failed != nil {
		http.Error(w, "The page's files are damaged.", http.StatusInternalServerError)
		return
	}
	served, found := s.files[r.URL.Path]
	if !found {
		http.Error(w, "Not found.", http.StatusNotFound)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "Only GET and HEAD are possible here.", http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Content-Type", served.contentType)
	w.Header().Set("ETag", served.etag)
	w.Header().Set("Cache-Control", "public, no-cache")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(served.content))
}

func setCommonHeaders(header http.Header) {
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
}

// setClientHeaders lets pages of every origin load the files by a script element, also those that are isolated from other
// origins: whether they may connect is for the endpoint to say.
func setClientHeaders(header http.Header) {
	setCommonHeaders(header)
	header.Set("Cross-Origin-Resource-Policy", "cross-origin")
}

func setPageHeaders(header http.Header) {
	setCommonHeaders(header)
	header.Set("Content-Security-Policy", contentSecurityPolicy)
	header.Set("Permissions-Policy", "geolocation=(self), camera=(), microphone=()")
}

// loadPage reads static/index.html as "/" and static/assets/… as "/assets/…". The ETag is a digest of the content,
// so it changes with the file and with nothing else.
func loadPage(root fs.FS) (map[string]file, error) {
	return load(root, "static", func(name string, content []byte) (urlPath, etag string) {
		urlPath = strings.TrimPrefix(name, "static")
		if urlPath == "/index.html" {
			urlPath = "/"
		}
		digest := sha256.Sum256(content)
		return urlPath, `"` + hex.EncodeToString(digest[:12]) + `"`
	})
}

// loadClient reads socketio/… as "/socket.io/…". The ETag is the release, as Socket.IO's own servers send it.
func loadClient(root fs.FS) (map[string]file, error) {
	return load(root, "socketio", func(name string, _ []byte) (urlPath, etag string) {
		return "/socket.io/" + path.Base(name), `"` + SocketIOClientVersion + `"`
	})
}

func load(root fs.FS, dir string, address func(name string, content []byte) (urlPath, etag string)) (map[string]file, error) {
	files := make(map[string]file)
	err := fs.WalkDir(root, dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		contentType, err := packed.ContentType(name)
		if err != nil {
			return err
		}
		urlPath, etag := address(name, content)
		files[urlPath] = file{content: content, contentType: contentType, etag: etag}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("load embedded files of %s: %w", dir, err)
	}
	return files, nil
}
