package demo

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestOnlyWhoSitsAtTheMachineSignsInWithoutALink(t *testing.T) {
	door := Door([]byte("0123456789abcdef0123456789abcdef"))
	for name, test := range map[string]struct {
		peer, host, origin string
		want               int
	}{
		"here":                           {"127.0.0.1:5000", "127.0.0.1:8080", "", http.StatusOK},
		"here, by name":                  {"[::1]:5000", "localhost:8080", "http://localhost:8080", http.StatusOK},
		"here, on IPv6":                  {"[::1]:5000", "[::1]:8080", "", http.StatusOK},
		"here, a mapped address":         {"[::ffff:127.0.0.1]:5000", "localhost", "", http.StatusOK},
		"another machine":                {"192.0.2.7:5000", "127.0.0.1:8080", "", http.StatusNotFound},
		"a proxy on this machine":        {"127.0.0.1:5000", "demo.example", "", http.StatusNotFound},
		"a name that was made to match":  {"127.0.0.1:5000", "localhost.evil.example:8080", "", http.StatusNotFound},
		"a page of another origin":       {"127.0.0.1:5000", "127.0.0.1:8080", "http://evil.example", http.StatusNotFound},
		"a page of another local server": {"127.0.0.1:5000", "localhost:8080", "http://localhost:3000", http.StatusNotFound},
		"an address nobody can read":     {"", "localhost", "", http.StatusNotFound},
	} {
		for _, ask := range []struct{ method, path string }{
			{http.MethodGet, "/demo/people.json"}, {http.MethodPost, "/demo/people/ada/token"},
		} {
			r := httptest.NewRequest(ask.method, ask.path, nil)
			r.RemoteAddr, r.Host = test.peer, test.host
			if test.origin != "" {
				r.Header.Set("Origin", test.origin)
			}
			w := httptest.NewRecorder()
			door.ServeHTTP(w, r)
			if w.Code != test.want {
				t.Errorf("%s: %s %s answers %d, want %d", name, ask.method, ask.path, w.Code, test.want)
			}
		}
	}
}

func TestEverybodyOfTheDemoGetsATokenAndNobodyElse(t *testing.T) {
	door := Door([]byte("0123456789abcdef0123456789abcdef"))
	ask := func(method, path string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, nil)
		r.RemoteAddr, r.Host = "127.0.0.1:5000", "localhost:8080"
		w := httptest.NewRecorder()
		door.ServeHTTP(w, r)
		return w
	}
	var guests []guest
	if err := json.Unmarshal(ask(http.MethodGet, "/demo/people.json").Body.Bytes(), &guests); err != nil || len(guests) < 5 {
		t.Fatalf("people: %v, %v", guests, err)
	}
	for _, who := range guests {
		var made struct{ Token string }
		if err := json.Unmarshal(ask(http.MethodPost, "/demo/people/"+who.UserID+"/token").Body.Bytes(), &made); err != nil || made.Token == "" {
			t.Errorf("%s: token %q, %v", who.UserID, made.Token, err)
		}
	}
	if got := ask(http.MethodPost, "/demo/people/mallory/token").Code; got != http.StatusNotFound {
		t.Errorf("somebody else: %d, want 404", got)
	}
	if got := ask(http.MethodGet, "/demo/people/ada/token").Code; got != http.StatusMethodNotAllowed {
		t.Errorf("a token by GET: %d, want 405", got)
	}
}
