package engineio

import "net/http"

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
	if !s.config.AllowOrigin(r) {
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
