package web

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

func serve(t *testing.T, handler http.Handler, method, target string, header http.Header) *http.Response {
	t.Helper()
	request := httptest.NewRequest(method, "/", nil)
	// Set after parsing, as a router that decodes %2e%2e would: the handler itself has to be safe.
	request.URL.Path = target
	for name, values := range header {
		request.Header[name] = values
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	response := recorder.Result()
	t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

func bodyOf(t *testing.T, response *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestServesFilesWithTheirType(t *testing.T) {
	tests := []struct {
		name        string
		handler     http.Handler
		path        string
		contentType string
		file        string
	}{
		{"page", Handler(), "/", "text/html; charset=utf-8", "static/index.html"},
		{"module", Handler(), "/assets/main.js", "text/javascript; charset=utf-8", "static/assets/main.js"},
		{"style", Handler(), "/assets/style.css", "text/css; charset=utf-8", "static/assets/style.css"},
		{"icon", Handler(), "/assets/icon.svg", "image/svg+xml", "static/assets/icon.svg"},
		{"client", SocketIOClient(), "/socket.io/socket.io.js", "text/javascript; charset=utf-8", "socketio/socket.io.js"},
		{"client, small", SocketIOClient(), "/socket.io/socket.io.min.js", "text/javascript; charset=utf-8", "socketio/socket.io.min.js"},
		{"client, module", SocketIOClient(), "/socket.io/socket.io.esm.min.js", "text/javascript; charset=utf-8", "socketio/socket.io.esm.min.js"},
		{"source map", SocketIOClient(), "/socket.io/socket.io.esm.min.js.map", "application/json; charset=utf-8", "socketio/socket.io.esm.min.js.map"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			want, err := os.ReadFile(test.file)
			if err != nil {
				t.Fatal(err)
			}
			got := serve(t, test.handler, http.MethodGet, test.path, nil)
			if got.StatusCode != http.StatusOK {
				t.Fatalf("status %d, want 200", got.StatusCode)
			}
			if got.Header.Get("Content-Type") != test.contentType {
				t.Errorf("Content-Type %q, want %q", got.Header.Get("Content-Type"), test.contentType)
			}
			if bodyOf(t, got) != string(want) {
				t.Errorf("body differs from %s", test.file)
			}

			head := serve(t, test.handler, http.MethodHead, test.path, nil)
			if head.StatusCode != http.StatusOK || bodyOf(t, head) != "" {
				t.Errorf("HEAD: status %d with a body of %d bytes, want 200 and none", head.StatusCode, head.ContentLength)
			}
			if head.Header.Get("ETag") != got.Header.Get("ETag") {
				t.Errorf("HEAD: ETag %q, GET: %q", head.Header.Get("ETag"), got.Header.Get("ETag"))
			}
		})
	}
}

func TestRevalidatesByETag(t *testing.T) {
	for path, handler := range map[string]http.Handler{
		"/": Handler(), "/assets/main.js": Handler(), "/socket.io/socket.io.js": SocketIOClient(),
	} {
		first := serve(t, handler, http.MethodGet, path, nil)
		etag := first.Header.Get("ETag")
		if !regexp.MustCompile(`^"[^"]+"$`).MatchString(etag) {
			t.Errorf("%s: ETag %q is not a strong entity tag", path, etag)
		}
		if got := first.Header.Get("Cache-Control"); got != "public, no-cache" {
			t.Errorf("%s: Cache-Control %q", path, got)
		}
		again := serve(t, handler, http.MethodGet, path, http.Header{"If-None-Match": {etag}})
		if again.StatusCode != http.StatusNotModified || bodyOf(t, again) != "" {
			t.Errorf("%s with its ETag: status %d, want 304 without a body", path, again.StatusCode)
		}
		stale := serve(t, handler, http.MethodGet, path, http.Header{"If-None-Match": {`"other"`}})
		if stale.StatusCode != http.StatusOK {
			t.Errorf("%s with another ETag: status %d, want 200", path, stale.StatusCode)
		}
	}
	if etag := serve(t, SocketIOClient(), http.MethodGet, "/socket.io/socket.io.js", nil).Header.Get("ETag"); etag != `"4.8.4"` {
		t.Errorf("client's ETag %s, want its release", etag)
	}
}

func TestClientIsTheReleaseItsETagClaims(t *testing.T) {
	for _, name := range []string{"socket.io.js", "socket.io.min.js", "socket.io.esm.min.js"} {
		body := bodyOf(t, serve(t, SocketIOClient(), http.MethodGet, "/socket.io/"+name, nil))
		if !strings.Contains(body[:200], "Socket.IO v"+SocketIOClientVersion) {
			t.Errorf("%s does not say it is release %s: %.120q", name, SocketIOClientVersion, body)
		}
	}
}

func TestRefusesWhatIsNotThere(t *testing.T) {
	tests := []struct {
		handler http.Handler
		path    string
	}{
		{Handler(), ""},
		{Handler(), "/index.html"},
		{Handler(), "/nothing"},
		{Handler(), "/assets"},
		{Handler(), "/assets/"},
		{Handler(), "/assets/nothing.js"},
		{Handler(), "/assets/../index.html"},
		{Handler(), "/assets/../../embed.go"},
		{Handler(), "/assets/..\\..\\embed.go"},
		{Handler(), "//assets/main.js"},
		{Handler(), "/assets/main.js/"},
		{Handler(), "/assets/main.js\x00"},
		{Handler(), "/socket.io/socket.io.js"},
		{SocketIOClient(), "/"},
		{SocketIOClient(), "/socket.io/"},
		{SocketIOClient(), "/socket.io/LICENSE"},
		{SocketIOClient(), "/socket.io/../socket.io/socket.io.js"},
		{SocketIOClient(), "/socket.io/socket.io.msgpack.min.js"},
	}
	for _, test := range tests {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
			if got := serve(t, test.handler, method, test.path, nil); got.StatusCode != http.StatusNotFound {
				t.Errorf("%s %q: status %d, want 404", method, test.path, got.StatusCode)
			}
		}
	}
}

func TestRefusesMethodsThatChangeThings(t *testing.T) {
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions} {
		got := serve(t, Handler(), method, "/", nil)
		if got.StatusCode != http.StatusMethodNotAllowed || got.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: status %d, Allow %q", method, got.StatusCode, got.Header.Get("Allow"))
		}
	}
}

func TestSecurityHeaders(t *testing.T) {
	for _, path := range []string{"/", "/assets/main.js", "/nothing"} {
		header := serve(t, Handler(), http.MethodGet, path, nil).Header
		policy := header.Get("Content-Security-Policy")
		for _, directive := range []string{
			"default-src 'self'", "connect-src 'self' ws: wss:", "img-src 'self' data:", "style-src 'self'", "frame-ancestors 'none'",
		} {
			if !strings.Contains(policy+";", directive+";") {
				t.Errorf("%s: policy %q lacks %q", path, policy, directive)
			}
		}
		if strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy %q allows something unsafe", path, policy)
		}
		if header.Get("X-Content-Type-Options") != "nosniff" || header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: headers %v", path, header)
		}
	}
}

// TestClientOnIsolatedPages: a page that takes nothing of other origins unasked may load the client.
func TestClientOnIsolatedPages(t *testing.T) {
	for path, want := range map[string]string{"/socket.io/socket.io.js": "cross-origin", "/": ""} {
		handler := SocketIOClient()
		if want == "" {
			handler = Handler()
		}
		if got := serve(t, handler, http.MethodGet, path, nil).Header.Get("Cross-Origin-Resource-Policy"); got != want {
			t.Errorf("%s: Cross-Origin-Resource-Policy is %q, want %q", path, got, want)
		}
	}
}

// The policy forbids inline script and style, and the page must show what people wrote as text alone.
func TestPageKeepsItsOwnRules(t *testing.T) {
	forbidden := map[string]*regexp.Regexp{
		"markup made from text": regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment`),
		"code made from text":   regexp.MustCompile(`\beval\(|new Function\(`),
		"inline style":          regexp.MustCompile(`<style|\sstyle="`),
		"inline script":         regexp.MustCompile(`<script>|\son[a-z]+="`),
		"another host":          regexp.MustCompile(`(src|href)="(https?:)?//`),
	}
	err := filepath.WalkDir("static", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		for what, pattern := range forbidden {
			if found := pattern.Find(content); found != nil {
				t.Errorf("%s: %s: %q", name, what, found)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Each file that the page and its modules name has to be among those served.
func TestEveryReferenceIsServed(t *testing.T) {
	reference := regexp.MustCompile(`(?:src|href)="(/[^"]*)"|from ['"]([^'"]+)['"]`)
	for _, name := range append([]string{"static/index.html"}, modules(t)...) {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range reference.FindAllStringSubmatch(string(content), -1) {
			target := match[1]
			if target == "" {
				target = match[2]
			}
			if relative, ok := strings.CutPrefix(target, "./"); ok {
				target = "/assets/" + relative
			}
			handler := Handler()
			if strings.HasPrefix(target, "/socket.io/") {
				handler = SocketIOClient()
			}
			if got := serve(t, handler, http.MethodGet, target, nil); got.StatusCode != http.StatusOK {
				t.Errorf("%s names %s: status %d", name, target, got.StatusCode)
			}
		}
	}
}

func modules(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob("static/assets/*.js")
	if err != nil || len(names) == 0 {
		t.Fatalf("no modules found: %v", err)
	}
	return names
}

func TestDamagedFilesAreReported(t *testing.T) {
	if _, err := loadPage(fstest.MapFS{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no files: error %v, want fs.ErrNotExist", err)
	}
	_, err := loadPage(fstest.MapFS{"static/assets/song.mp3": {Data: []byte("x")}})
	if err == nil || !strings.Contains(err.Error(), "song.mp3") {
		t.Errorf("unknown type: error %v, want one that names the file", err)
	}
	broken := fileServer{failed: err, setHeaders: setPageHeaders}
	if got := serve(t, broken, http.MethodGet, "/", nil); got.StatusCode != http.StatusInternalServerError {
		t.Errorf("status %d, want 500", got.StatusCode)
	}
}
