package app

import (
	"net/http"
	"strings"
	"time"
)

const (
	// bodyTimeout is how long a request's body may take to come in.
	bodyTimeout = 30 * time.Second
	// answerTimeout is how long an answer may take to be read.
	answerTimeout = time.Minute
)

// withDeadlines lets no request hold its connection by a body that never ends or an answer that is never read. A REST
// route puts deadlines of its own in their place. The server's own time-outs cannot do this: they would end long polls as
// well, whose time the Socket.IO server keeps.
func withDeadlines(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		connection := http.NewResponseController(w)
		var reading, writing time.Time // none
		if r.ContentLength != 0 {
			reading = time.Now().Add(bodyTimeout)
		}
		if !strings.HasPrefix(r.URL.Path+"/", socketPath) || r.Method != http.MethodGet {
			writing = time.Now().Add(answerTimeout)
		}
		// What a connection cannot do (a test's recorder has no deadlines) it need not do.
		_ = connection.SetReadDeadline(reading)
		_ = connection.SetWriteDeadline(writing)
		next.ServeHTTP(w, r)
	})
}
