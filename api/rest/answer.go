package rest

import (
	"encoding/json"
	"net/http"

	"rolecall/internal/call"
)

// Made is the document of a request that makes something.
type Made interface {
	// IsNew reports whether this request has made it, which is a 201. It was there before where the request was sent again.
	IsNew() bool
}

// Located is the document of something that has an address.
type Located interface {
	// Path is the address, for the header Location of a 201.
	Path() string
}

// respond answers with what an operation has returned.
func respond(w http.ResponseWriter, out any) {
	if _, done := out.(sent); done {
		return
	}
	if _, nothing := out.(call.Nothing); nothing {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	status := http.StatusOK
	if made, ok := out.(Made); ok && made.IsNew() {
		status = http.StatusCreated
		if located, ok := out.(Located); ok {
			w.Header().Set("Location", located.Path())
		}
	}
	Write(w, status, out)
}

// Write writes a JSON document. Text is left as it is: these answers are read by programs, not put into HTML.
func Write(w http.ResponseWriter, status int, document any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(document) // the status is sent: a reader who has gone away cannot be told
}
