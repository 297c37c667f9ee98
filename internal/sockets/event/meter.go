package event

import (
	"time"

	"rolecall/internal/fault"
)

// Meter hears of what has become of the events of one name, each of them once. It must not wait for anything.
type Meter interface {
	// Answered is told how long an event took that was answered as it should be.
	Answered(took time.Duration)
	// Refused is told of one that failed.
	Refused(code string, took time.Duration)
	// Abandoned is told of one whose socket was gone before it was answered.
	Abandoned()
}

// watch follows one event. That of a router without meters costs nothing.
type watch struct {
	meter Meter // nil where nobody measures
	since time.Time
}

func (r *Router) meter(event string) Meter {
	if r.meters == nil {
		return nil
	}
	return r.meters(event)
}

// watch begins to follow an event with that handler, nil for none.
func (r *Router) watch(h *handler) watch {
	meter := r.unknown
	if h != nil {
		meter = h.meter
	}
	if meter == nil {
		return watch{}
	}
	return watch{meter: meter, since: time.Now()}
}

func (w watch) answered() {
	if w.meter != nil {
		w.meter.Answered(time.Since(w.since))
	}
}

func (w watch) refused(code fault.Code) {
	if w.meter != nil {
		w.meter.Refused(string(code), time.Since(w.since))
	}
}

func (w watch) abandoned() {
	if w.meter != nil {
		w.meter.Abandoned()
	}
}
