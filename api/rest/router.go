// Package rest is what the REST routes of all domains share: a request is held against its access rule, put together into
// a payload, decoded, validated, handed to one function, and answered. It is to requests what package event is to events.
package rest

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"go.opentelemetry.io/otel/trace"

	"rolecall/internal/access"
	"rolecall/internal/auth"
	"rolecall/internal/call"
	"rolecall/internal/limit"
	"rolecall/internal/payload"
)

// answerTimeout is how long an answer may take to be read.
const answerTimeout = time.Minute

// Verifier turns a token into an identity.
type Verifier interface {
	Verify(ctx context.Context, token string) (auth.Identity, error)
	// Tell hears why there was no token to verify.
	Tell(ctx context.Context, err error)
}

// Options is what a Router needs.
type Options struct {
	Verifier Verifier
	Buckets  *limit.Buckets
	Decoder  *payload.Decoder
	Logger   *slog.Logger
	// Seen, where set, hears of everybody who has called a route that they may call.
	Seen func(ctx context.Context, who auth.Identity)
	// Tracer, where set, begins a trace with each request.
	Tracer trace.Tracer
	// Refused, where set, is told the code of every request that is refused.
	Refused func(code string)
	// Stall is how long more is waited for of a body that is read as it comes; 0 stands for 10 seconds.
	Stall time.Duration
}

// Route is one route and who may call it.
type Route struct {
	Method, Pattern string
	Rule            access.Rule
	// HasBody tells that the route reads a body, MayLackBody that a request without one is complete.
	HasBody, MayLackBody bool
	// Parameters are the names that the query may have, sorted.
	Parameters []string
	// Payload is the type that a request is decoded into.
	Payload reflect.Type

	handler http.Handler
}

// Router knows the routes.
type Router struct {
	options  Options
	problems Problems
	routes   []Route
}

// NewRouter returns a Router without routes.
func NewRouter(options Options) *Router {
	return &Router{options: options, problems: Problems{Logger: options.Logger, Refused: options.Refused}}
}

// Routes lists the routes in the order in which they were registered.
func (r *Router) Routes() []Route { return r.routes }

// Mount adds the routes to a router of requests.
func (r *Router) Mount(on chi.Router) {
	for _, route := range r.routes {
		on.Method(route.Method, route.Pattern, route.handler)
	}
}

// On has handle answer a route, "GET /rooms/{roomId}/messages", whose access rule is rule. See package call about the
// shape.
//
// In is read from the whole of the request, as if its parts were one JSON object: the variables of the path, and the
// parameters of the query where the method has no body or the members of the body where it has one, all by the names of
// In's members; see Bodiless about a body that is left out. The header Idempotency-Key is the member clientId. A parameter that In does not know is refused.
//
// Out is the document of a 200; see Made and Located about a 201, and call.Nothing about a 204. ctx ends with the
// request, and when the rule's time is up. On panics where the rule is missing, the route has a
// handler, or In cannot be read from a request.
func On[In, Out any](r *Router, route string, rule access.Rule, handle func(ctx context.Context, who auth.Identity, in In) (Out, error)) {
	rule.MustBeDeclared(route, *new(In))
	method, pattern, _ := strings.Cut(route, " ")
	if slices.ContainsFunc(r.routes, func(other Route) bool { return other.Method == method && other.Pattern == pattern }) {
		panic("rest: " + route + " has two handlers")
	}
	if _, attachable := any(new(In)).(call.Attachable); attachable {
		panic("rest: " + route + " takes binary data, which JSON has no place for")
	}
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
		return handle(req.Context(), who, in)
	}}
	r.routes = append(r.routes, Route{
		Method: method, Pattern: pattern, Rule: rule, HasBody: form.hasBody, MayLackBody: form.mayLackBody, Parameters: form.parameters(), Payload: reflect.TypeFor[In](), handler: handler,
	})
}

// endpoint answers the requests of one route.
type endpoint struct {
	*Router
	// route is the method and the pattern.
	route string
	rule  access.Rule
	form  form
	run   func(w http.ResponseWriter, r *http.Request, who auth.Identity) (out any, err error)
}

// ServeHTTP implements http.Handler.
func (e endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.setDeadlines(w, r)
	if e.options.Tracer != nil {
		traced, request, end := e.trace(w, r)
		defer end()
		w, r = traced, request
	}
	ctx, end := context.WithTimeout(r.Context(), e.rule.Timeout())
	defer end()
	r = r.WithContext(ctx)
	who, err := e.authenticate(r)
	if err != nil {
		if !errors.Is(err, auth.ErrUnavailable) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="rolecall"`)
		}
		e.problems.Write(w, r, auth.Refusal(err))
		return
	}
	out, err := e.answer(w, r, who)
	if err != nil {
		e.problems.Write(w, r, err)
		return
	}
	if served, is := out.(Served); is {
		served.Serve(w, r)
		return
	}
	respond(w, out)
}

// setDeadlines lets no request hold its connection by a body that never ends or an answer that is never read.
func (e endpoint) setDeadlines(w http.ResponseWriter, r *http.Request) {
	connection, now := http.NewResponseController(w), time.Now()
	var reading time.Time // none
	if r.ContentLength != 0 {
		reading = now.Add(e.rule.Timeout())
	}
	// What a connection cannot do (a test's recorder has no deadlines) it need not do.
	_ = connection.SetReadDeadline(reading)
	_ = connection.SetWriteDeadline(now.Add(e.rule.Timeout() + answerTimeout))
}

func (e endpoint) authenticate(r *http.Request) (auth.Identity, error) {
	token, err := auth.Bearer(r.Header.Get("Authorization"))
	if err != nil {
		e.options.Verifier.Tell(r.Context(), err)
		return auth.Identity{}, err
	}
	return e.options.Verifier.Verify(r.Context(), token)
}

func (e endpoint) answer(w http.ResponseWriter, r *http.Request, who auth.Identity) (any, error) {
	if err := e.rule.Check(e.options.Buckets, who); err != nil {
		return nil, err
	}
	if e.options.Seen != nil && !e.rule.IsUnattended() {
		e.options.Seen(r.Context(), who)
	}
	out, err := e.run(w, r, who)
	if pending, later := out.(call.Pending); later && err == nil {
		out, err = pending.Wait(r.Context())
	}
	return out, e.form.named(err, r)
}
