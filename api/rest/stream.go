package rest

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"rolecall/internal/access"
	"rolecall/internal/auth"
	"rolecall/internal/fault"
)

// Body is the body of a request, read as it comes. Its errors are faults that the client may be told.
type Body struct {
	io.Reader
	// Media is the type of it, one of those that the route takes.
	Media string
}

// OnStream is On for a route whose body is longer than anybody would hold in memory. It has no parameters, and takes bodies of
// the given types, in UTF-8, up to the rule's bound.
func OnStream[Out any](
	r *Router, route string, rule access.Rule, media []string,
	handle func(ctx context.Context, who auth.Identity, body Body) (Out, error),
) {
	rule.MustBeDeclared(route, struct{}{})
	method, pattern, _ := strings.Cut(route, " ")
	form := formOf[struct{}](method, pattern)
	handler := endpoint{Router: r, route: route, rule: rule, form: form, run: func(w http.ResponseWriter, req *http.Request, who auth.Identity) (any, error) {
		if _, err := form.addQuery(nil, req); err != nil {
			return nil, err
		}
		kind, err := mediaOf(req.Header, media...)
		if err != nil {
			return nil, err
		}
		most := rule.MaxBytes()
		if req.ContentLength > int64(most) {
			return nil, tooLarge(most)
		}
		body := &stream{
			w: w, connection: http.NewResponseController(w), body: http.MaxBytesReader(w, req.Body, int64(most)), most: most,
			stall: r.stall(), end: time.Now().Add(rule.Timeout()),
		}
		return handle(req.Context(), who, Body{body, kind})
	}}
	r.routes = append(r.routes, Route{
		Method: method, Pattern: pattern, Rule: rule, HasBody: true, Payload: reflect.TypeFor[struct{}](), handler: handler,
	})
}

// stallTimeout is Options.Stall where nothing else is said.
const stallTimeout = 10 * time.Second

func (r *Router) stall() time.Duration {
	if r.options.Stall > 0 {
		return r.options.Stall
	}
	return stallTimeout
}

// stream reads a body that has a bound, as long as something comes.
type stream struct {
	w          http.ResponseWriter
	connection *http.ResponseController
	body       io.Reader
	most       int
	stall      time.Duration
	end        time.Time // when the body must be there
}

// Read implements io.Reader.
func (s *stream) Read(into []byte) (int, error) {
	s.setDeadline(time.Now().Add(s.stall))
	n, err := s.body.Read(into)
	s.setDeadline(s.end) // the server reads on, to notice that the client leaves
	if err != nil && !errors.Is(err, io.EOF) {
		err = bodyFault(s.w, err, s.most)
	}
	return n, err
}

// setDeadline bounds how long is waited for more. What a connection cannot do (a test's recorder has no deadlines) it need not do.
func (s *stream) setDeadline(at time.Time) {
	if at.After(s.end) {
		at = s.end
	}
	_ = s.connection.SetReadDeadline(at)
}

// bodyFault is what a client is told whose body could not be read.
func bodyFault(w http.ResponseWriter, err error, most int) error {
	switch {
	case errors.As(err, new(*http.MaxBytesError)):
		return tooLarge(most)
	case errors.Is(err, os.ErrDeadlineExceeded):
		w.Header().Set("Connection", "close") // the rest of the body would be taken for a request
		return refusal{http.StatusRequestTimeout, fault.Invalid("", "The body did not come in time")}
	default:
		return refusal{http.StatusBadRequest, fault.Invalid("", "The body could not be read")}
	}
}

func tooLarge(most int) error {
	return fault.Newf(fault.TooLarge, "The body of this request has at most %d bytes", most)
}

// mediaOf is the type of a body, which has to be plain UTF-8 text of one of the types (RFC 9110, section 15.5.16).
func mediaOf(header http.Header, allowed ...string) (string, error) {
	kind, parameters, err := mime.ParseMediaType(header.Get("Content-Type"))
	if charset := parameters["charset"]; err != nil || !slices.Contains(allowed, kind) || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return "", refusal{http.StatusUnsupportedMediaType, fault.Invalid("Content-Type", "The body must be sent as "+strings.Join(allowed, " or "))}
	}
	if encoding := header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return "", refusal{http.StatusUnsupportedMediaType, fault.Invalid("Content-Encoding", "The body must not be compressed")}
	}
	return kind, nil
}
