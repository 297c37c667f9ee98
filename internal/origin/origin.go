// Package origin decides which web pages may talk to the server, by the Origin header that browsers send.
//
// Nothing of the server's rests on cookies, so a page that gets through can do no more than its token allows. The rule
// keeps pages that have got hold of a token, or hope to find an open port, from using a visitor's browser.
package origin

import (
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/rs/cors"
)

// Words in the list of those allowed that are no origins.
const (
	// Any stands for every page.
	Any = "*"
	// Local stands for the pages of the browser's own machine, on any port: those of development servers.
	Local = "localhost"
	// Null is what all pages send that have no origin: sandboxed frames, files, some apps.
	Null = "null"
	// File is what the pages of some apps send, as of Cordova's older ones on Android. It has no host.
	File = "file://"
)

// Check says what is wrong with an entry of the list of those allowed.
func Check(entry string) error {
	switch entry {
	case Any, Local, Null:
		return nil
	}
	_, err := Canonical(entry)
	return err
}

// errForm is what Canonical finds wrong.
var errForm = errors.New("is no origin such as https://app.example.com, nor " + Any + ", " + Local + " or " + Null)

// Canonical returns an origin in the form in which browsers send it: scheme and host in lower case, and no port where
// it is the scheme's own (https://html.spec.whatwg.org/multipage/browsers.html#ascii-serialisation-of-an-origin). The
// schemes of WebSockets, which clients outside browsers send, become those of the pages. An origin has no user, path,
// query or fragment, and a host, but for File; a host beyond ASCII is written in punycode. "null" is an error: it is
// what every page without an origin sends, so it names none.
func Canonical(text string) (string, error) {
	if strings.EqualFold(text, File) {
		return File, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || !plainHost(u.Host) {
		return "", errForm
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	if scheme+"://"+host != strings.ToLower(text) { // there is more to it than an origin has
		return "", errForm
	}
	switch scheme {
	case "ws":
		scheme = "http"
	case "wss":
		scheme = "https"
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
	any, local, null bool
	allowed          []string
}

// NewPolicy allows these origins besides the server's own, each in any form Canonical takes or one of the words Any,
// Local and Null.
func NewPolicy(origins []string) Policy {
	var p Policy
	for _, text := range origins {
		switch text {
		case Any:
			p.any = true
		case Local:
			p.local = true
		case Null:
			p.null = true
		default:
			if canonical, err := Canonical(text); err == nil { // one that is none would never match
				p.allowed = append(p.allowed, canonical)
			}
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
	case origins[0] == Null:
		return p.null
	}
	canonical, err := Canonical(origins[0])
	return err == nil && (slices.Contains(p.allowed, canonical) || isOwn(canonical, r.Host) || p.local && isLocal(canonical))
}

// Named reports whether each allowed page is known by its origin. Only then may browsers send what they keep for the
// server, such as cookies, with a page's requests.
func (p Policy) Named() bool { return !p.any && !p.null }

// isOwn compares host and port with those the request was sent to. The scheme is not compared, nor are the ports of the
// two schemes told apart: behind a proxy that ends TLS the server does not know which one the browser used, and what the
// proxy tells of the port is its own.
func isOwn(canonical, host string) bool {
	scheme, address, _ := strings.Cut(canonical, "://")
	return isWeb(scheme) && host != "" && withoutDefaultPort(address) == withoutDefaultPort(strings.ToLower(host))
}

func isWeb(scheme string) bool { return scheme == "http" || scheme == "https" }

// withoutDefaultPort takes the port of either scheme off a host. No other port contains ":80" or ":443" at its end, and
// no address in brackets ends without one.
func withoutDefaultPort(host string) string {
	return strings.TrimSuffix(strings.TrimSuffix(host, ":80"), ":443")
}

// isLocal reports whether a page comes from the browser's own machine, from any port.
func isLocal(canonical string) bool {
	u, err := url.Parse(canonical)
	if err != nil || !isWeb(u.Scheme) {
		return false
	}
	name := u.Hostname()
	address, err := netip.ParseAddr(name)
	return name == "localhost" || strings.HasSuffix(name, ".localhost") || err == nil && address.IsLoopback()
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
