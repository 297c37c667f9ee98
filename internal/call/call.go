// Package call is the one shape of an operation, whichever door it is asked through:
//
//	func(ctx context.Context, who auth.Identity, in In) (Out, error)
//
// A service's method of that shape is registered as it is, for an event and for its REST twin. In is decoded and
// validated; the members of Out become the event's ack or the response's document. What is shaped otherwise is brought
// into it here.
package call

import (
	"context"

	"rolecall/internal/auth"
)

// Nothing is the Out of an operation that answers no more than that it was done.
type Nothing struct{}

// Done is the operation of a function without a result.
func Done[In any](do func(context.Context, auth.Identity, In) error) func(context.Context, auth.Identity, In) (Nothing, error) {
	return func(ctx context.Context, who auth.Identity, in In) (Nothing, error) {
		return Nothing{}, do(ctx, who, in)
	}
}

// Pending is the Out of an operation whose outcome comes later, when a commit is done. A socket's next events go on
// meanwhile, in their order; a request waits.
type Pending struct {
	deliver func(done func(out any, err error))
}

// Deliver calls done with the outcome, once, perhaps before it returns. Done must not wait for anything.
func (p Pending) Deliver(done func(out any, err error)) { p.deliver(done) }

// Wait returns the outcome, or the context's error where that ends first; the outcome may still come about.
func (p Pending) Wait(ctx context.Context) (any, error) {
	type result struct {
		out any
		err error
	}
	come := make(chan result, 1)
	p.deliver(func(out any, err error) { come <- result{out, err} })
	select {
	case r := <-come:
		return r.out, r.err
	case <-ctx.Done():
	}
	select {
	case r := <-come: // both at once: what was done is told
		return r.out, r.err
	default:
		return nil, ctx.Err()
	}
}

// outcome is what a service has begun and will finish.
type outcome[Out any] interface {
	// Then calls done with the result, once, perhaps before it returns.
	Then(done func(Out, error))
}

// Later is the operation of a function that begins something, in the order of the calls, and tells the outcome later.
func Later[In, Out any, O outcome[Out]](begin func(context.Context, auth.Identity, In) (O, error)) func(context.Context, auth.Identity, In) (Pending, error) {
	return func(ctx context.Context, who auth.Identity, in In) (Pending, error) {
		begun, err := begin(ctx, who, in)
		if err != nil {
			return Pending{}, err
		}
		return Pending{func(done func(any, error)) {
			begun.Then(func(out Out, err error) { done(out, err) })
		}}, nil
	}
}
