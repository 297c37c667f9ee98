package adminui

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

func get(t *testing.T, path string, header ...string) *http.Response {
	t.Helper()
	return serve(t, Handler(), http.MethodGet, path, header...)
}

func serve(t *testing.T, handler http.Handler, method, path string, header ...string) *http.Response {
	t.Helper()
	request := httptest.NewRequest(method, "/", nil)
	request.URL.Path = path // as a router that decodes would leave it
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder.Result()
}

func bodyOf(t *testing.T, response *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// TestNothingComesFromElsewhere: every file that the page and its style sheets name is served here, and none is named that
// is not.
func TestNothingComesFromElsewhere(t *testing.T) {
	page := get(t, Path)
	if page.StatusCode != http.StatusOK || page.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%s as %s", page.Status, page.Header.Get("Content-Type"))
	}
	names := regexp.MustCompile(`(?:href|src)="([^"]*)"`)
	inStyle := regexp.MustCompile(`url\("?([^")]*)"?\)`)
	served := map[string]bool{}
	look := func(folder string, found [][]string) {
		for _, match := range found {
			name := folder + match[1]
			if strings.Contains(match[1], ":") || strings.HasPrefix(match[1], "/") {
				t.Errorf("%q comes from elsewhere", match[1])
			} else if got := get(t, Path+name); got.StatusCode != http.StatusOK {
				t.Errorf("%s: %s", name, got.Status)
			}
			served[name] = true
		}
	}
	look("", names.FindAllStringSubmatch(bodyOf(t, page), -1))
	if len(served) != 8 {
		t.Errorf("the page names %d files, so the test does not look at it as it is: %v", len(served), served)
	}
	for name := range served {
		if strings.HasPrefix(name, "fonts/") {
			look("fonts/", inStyle.FindAllStringSubmatch(bodyOf(t, get(t, Path+name)), -1))
		}
	}
	if len(served) != 8+12+1 {
		t.Errorf("%d files are named, with the fonts", len(served))
	}
}

func TestHeaders(t *testing.T) {
	for _, path := range []string{Path, Path + "js/app.0d7d7845.js", Path + "nothing"} {
		header := get(t, path).Header
		policy := header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"} {
			if !strings.Contains(policy+";", want+";") {
				t.Errorf("%s: the policy lacks %s", path, want)
			}
		}
		if header.Get("X-Content-Type-Options") != "nosniff" || header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: %v", path, header)
		}
	}
}

func TestWhatIsServed(t *testing.T) {
	if got := get(t, "/admin/ui"); got.StatusCode != http.StatusMovedPermanently || got.Header.Get("Location") != Path {
		t.Errorf("without a slash: %s to %s", got.Status, got.Header.Get("Location"))
	}
	for _, path := range []string{Path + "index.html", Path + "js", Path + "../adminui.go", Path + "js/app.0d7d7845.js.gz", Path + "licences/roboto", "/admin"} {
		if got := get(t, path); got.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", path, got.Status)
		}
	}
	if got := serve(t, Handler(), http.MethodPost, Path); got.StatusCode != http.StatusMethodNotAllowed || got.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %s", got.Status)
	}
	script := Path + "js/app.0d7d7845.js"
	zipped, plain := get(t, script, "Accept-Encoding", "br, gzip"), get(t, script)
	if zipped.Header.Get("Content-Encoding") != "gzip" || plain.Header.Get("Content-Encoding") != "" || zipped.Header.Get("ETag") == plain.Header.Get("ETag") {
		t.Errorf("compressed %v, plain %v", zipped.Header, plain.Header)
	}
	if text := bodyOf(t, plain); !strings.Contains(text, "webpackJsonp") || strings.Contains(text, "sourceMappingURL") {
		t.Errorf("%d bytes of script: %.80q", len(text), text)
	}
	if again := get(t, script, "If-None-Match", plain.Header.Get("ETag")); again.StatusCode != http.StatusNotModified {
		t.Errorf("asked again: %s", again.Status)
	}
}

// TestOneRelease: the script that fetches the files names the release that the program tells.
func TestOneRelease(t *testing.T) {
	script, err := os.ReadFile("vendor.sh")
	if err != nil || !strings.Contains(string(script), "fetch @socket.io/admin-ui "+Version+" ") {
		t.Errorf("vendor.sh fetches another than %s, or none: %v", Version, err)
	}
}

func TestDamagedFilesAreReported(t *testing.T) {
	_, err := load(fstest.MapFS{"files/song.mp3": {Data: []byte("x")}})
	if err == nil || !strings.Contains(err.Error(), "song.mp3") {
		t.Errorf("unknown type: %v", err)
	}
	if got := serve(t, handler{failed: err}, http.MethodGet, Path); got.StatusCode != http.StatusInternalServerError {
		t.Errorf("%s", got.Status)
	}
}
