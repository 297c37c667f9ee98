package engineio

import (
	"encoding/json"
	"net/http"
)

// refusal is a request that Engine.IO answers with an error.
type refusal struct {
	status  int
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// The error codes which Engine.IO clients know, as the reference server spells
// them: https://socket.io/docs/v4/troubleshooting-connection-issues/
func errUnknownTransport() *refusal {
	return &refusal{http.StatusBadRequest, 0, "Transport unknown"}
}
func errUnknownSession() *refusal {
	return &refusal{http.StatusBadRequest, 1, "Session ID unknown"}
}
func errHandshakeMethod() *refusal {
	return &refusal{http.StatusBadRequest, 2, "Bad handshake method"}
}
func errBadRequest() *refusal { return &refusal{http.StatusBadRequest, 3, "Bad request"} }
func errForbidden() *refusal  { return &refusal{http.StatusForbidden, 4, "Forbidden"} }
func errUnsupportedVersion() *refusal {
	return &refusal{http.StatusBadRequest, 5, "Unsupported protocol version"}
}
func errStopping() *refusal {
	return &refusal{http.StatusServiceUnavailable, 3, "Server is stopping"}
}
func errTooMany() *refusal {
	return &refusal{http.StatusTooManyRequests, 3, "Too many connections"}
}
func errTooLarge() *refusal {
	return &refusal{http.StatusRequestEntityTooLarge, 3, "Payload too large"}
}

// write answers the request with the refusal as JSON.
func (e *refusal) write(w http.ResponseWriter) {
	body, err := json.Marshal(e)
	if err != nil {
		http.Error(w, e.Message, e.status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(e.status)
	_, _ = w.Write(body) // a client that has gone needs no answer
}
