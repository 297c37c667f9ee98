package sockets

import (
	"time"

	"rolecall/internal/roles"
)

// Meter hears of the sockets of one namespace. It must not wait for anything.
type Meter interface {
	// LetIn is told how long it took to find that a socket may come in.
	LetIn(took time.Duration)
	// Refused is told with which code one was refused.
	Refused(code string)
	// Opened is told of each socket whose connect has been answered, and Closed of its end.
	Opened(role roles.Role)
	Closed(role roles.Role)
}

// unmetered is the meter where nobody measures.
type unmetered struct{}

func (unmetered) LetIn(time.Duration) {}
func (unmetered) Refused(string)      {}
func (unmetered) Opened(roles.Role)   {}
func (unmetered) Closed(roles.Role)   {}
