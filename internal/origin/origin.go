// Package origin decides which web pages may talk to the server, by the Origin header that browsers send.
//
// Nothing of the server's rests on cookies, so a page that gets through can do no more than its token allows. The rule
// keeps pages that have got hold of a token, or hope to find an open port, from using a visitor's browser.
package origin

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/rs/cors"
)

// Any stands for every origin in the list of those allowed.
const Any = "*"

// errForm is what Canonical finds wrong.
var errForm = errors.New("is no origin such as https://app.example.com")

// Canonical returns an origin in the form in which browsers send it: scheme and host in lower case, and no port where
// it is the scheme's own (https://html.spec.whatwg.org/multipage/browsers.html#ascii-serialisation-of-an-origin). An
// origin has no user, path, query or fragment; a host beyond ASCII is written in punycode. "null" is an error: it is
// what every page without an origin sends, so it names none.
func Canonical(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || !plainHost(u.Host) {
		return "", errForm
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	if scheme+"://"+host != strings.ToLower(text) { // there is more to it than an origin has
		return "", errForm
	}
	switch port := u.Port(); {
	case strings.HasSuffix(host, ":"):
		return "", errForm
	case scheme == "http" && port == "80", scheme == "https" && port == "443":
		host = strings.TrimSuffix(host, ":"+port)
	}
	return scheme + "://" + host, nil
}

// plainHost refuses what a browser never sends: letters beyond ASCII, escapes, and patterns.
func plainHost(host string) bool {
	for _, c := range []byte(host) {
		if c <= ' ' || c > '~' || strings.IndexByte(`*%,;"'\`, c) >= 0 {
			return false
		}
	}
	return true
}

// Policy says whose pages may talk to the server. The zero Policy allows the server's own alone.
type Policy struct {
	any     bool
	allowed []string
}

// NewPolicy allows these origins besides the server's own, each in any form Canonical takes; Any allows every page.
func NewPolicy(origins []string) Policy {
	var p Policy
	for _, text := range origins {
		if text == Any {
			p.any = true
		} else if canonical, err := Canonical(text); err == nil { // one that is none would never match
			p.allowed = append(p.allowed, canonical)
		}
	}
	return p
}

// Allows reports whether a request comes from an allowed page, or from none: programs that are no browsers send no
// Origin. A request with several is refused.
func (p Policy) Allows(r *http.Request) bool {
	origins := r.Header.Values("Origin")
	switch {
	case len(origins) == 0:
		return true
	case len(origins) > 1:
		return false
	case p.any:
		return true
	}
	canonical, err := Canonical(origins[0])
	return err == nil && (slices.Contains(p.allowed, canonical) || isOwn(canonical, r.Host))
}

// Named reports whether each allowed page is known by its origin. Only then may browsers send what they keep for the
// server, such as cookies, with a page's requests.
func (p Policy) Named() bool { return !p.any }

// isOwn compares host and port with those the request was sent to. The scheme is not compared: behind a proxy that ends
// TLS the server does not know which one the browser used.
func isOwn(canonical, host string) bool {
	scheme, _, _ := strings.Cut(canonical, "://")
	own, err := Canonical(scheme + "://" + host)
	return err == nil && (scheme == "http" || scheme == "https") && own == canonical
}

// CORS gives the answers to pages the headers by which their browsers let them read them, as far as allow lets the page
// in; nil lets none. The options say what else goes for the handler; their rules about origins are not heeded. A page is
// answered with its own origin, never with "*", so that an answer holds for nobody but whoever asked.
// https://fetch.spec.whatwg.org/#http-cors-protocol
func CORS(allow func(r *http.Request) bool, options cors.Options) *cors.Cors {
	options.AllowOriginVaryRequestFunc = func(r *http.Request, _ string) (bool, []string) {
		return allow != nil && allow(r), nil
	}
	return cors.New(options)
}

// Single refuses requests with several Origin headers: which one holds would be anybody's guess. No browser sends them.
func Single(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.Header.Values("Origin")) > 1 {
			http.Error(w, "more than one Origin header", http.StatusBadRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}
