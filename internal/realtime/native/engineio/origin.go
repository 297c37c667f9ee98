package engineio

import (
	"net"
	"net/http"
	"net/url"
	"strings"
)

// allowOrigin decides on a request's Origin and writes the CORS headers that an
// allowed cross origin needs to read the answer. A request without Origin does
// not come from a web page and is let through.
// https://fetch.spec.whatwg.org/#http-cors-protocol
func (s *Server) allowOrigin(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	w.Header().Add("Vary", "Origin")
	allowed := sameOrigin
	if s.config.AllowOrigin != nil {
		allowed = s.config.AllowOrigin
	}
	if !allowed(r) {
		return false
	}
	w.Header().Set("Access-Control-Allow-Origin", origin)
	if s.config.AllowCredentials {
		w.Header().Set("Access-Control-Allow-Credentials", "true")
	}
	return true
}

// preflight answers an OPTIONS request of an allowed origin.
func preflight(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
	header.Set("Access-Control-Max-Age", "600")
	header.Add("Vary", "Access-Control-Request-Headers")
	if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
		header.Set("Access-Control-Allow-Headers", asked)
	}
	w.WriteHeader(http.StatusNoContent)
}

// sameOrigin is the rule where none is given. It compares host and port only: behind a proxy that ends TLS the
// server cannot know the scheme which the browser used.
func sameOrigin(r *http.Request) bool {
	parsed, err := url.Parse(r.Header.Get("Origin"))
	if err != nil || parsed.Host == "" {
		return false
	}
	return strings.EqualFold(withoutDefaultPort(parsed.Host, parsed.Scheme), withoutDefaultPort(r.Host, parsed.Scheme))
}

func withoutDefaultPort(host, scheme string) string {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		return host
	}
	if scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		return name
	}
	return host
}
