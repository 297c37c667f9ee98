package rest

import (
	"context"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"rolecall/internal/access"
	"rolecall/internal/auth"
)

// LinesMedia is the type of an answer that is a JSON document a line.
const LinesMedia = "application/x-ndjson"

// sent is that an answer has begun, and is not to be followed by another.
type sent struct{}

// OnLines is On for a GET whose answer is longer than anybody would hold in memory: handle calls each for every line, which goes out
// as it comes. Where handle fails before the first, that is answered; after it the connection is closed, so that nobody takes a part
// for the whole. A client may take any time to read it within the rule's, but not stop.
func OnLines[In, Line any](
	r *Router, route string, rule access.Rule,
	handle func(ctx context.Context, who auth.Identity, in In, each func(Line) error) error,
) {
	rule.MustBeDeclared(route, *new(In))
	method, pattern, _ := strings.Cut(route, " ")
	form := formOf[In](method, pattern)
	handler := endpoint{Router: r, route: route, rule: rule, form: form, run: func(w http.ResponseWriter, req *http.Request, who auth.Identity) (any, error) {
		raw, err := form.payload(w, req, rule.MaxBytes())
		if err != nil {
			return nil, err
		}
		var in In
		if err := rule.Account(r.options.Buckets, who, in, r.options.Decoder.Decode(raw, &in)); err != nil {
			return nil, err
		}
		connection, begun := http.NewResponseController(w), false
		err = handle(req.Context(), who, in, func(line Line) error {
			if !begun {
				begun = true
				w.Header().Set("Content-Type", LinesMedia)
				w.Header().Set("X-Content-Type-Options", "nosniff")
			}
			encoded, err := json.Marshal(line)
			if err != nil {
				return err
			}
			_ = connection.SetWriteDeadline(time.Now().Add(r.stall())) // a test's recorder has none
			_, err = w.Write(append(encoded, '\n'))
			return err
		})
		if err != nil && begun {
			r.options.Logger.WarnContext(req.Context(), "answer broken off", "route", route, "error", err)
			panic(http.ErrAbortHandler)
		}
		return sent{}, err
	}}
	r.routes = append(r.routes, Route{
		Method: method, Pattern: pattern, Rule: rule, Parameters: form.parameters(), Payload: reflect.TypeFor[In](), handler: handler,
	})
}
