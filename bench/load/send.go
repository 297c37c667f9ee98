//go:build linux

package load

import (
	"strconv"
	"strings"
	"time"

	"rolecall/bench/wsframe"
)

// sender has the clients of a group send in turn.
type sender struct {
	group *group
	event string
	every time.Duration
	due   time.Time
	turn  int
}

// untilNextSend is how long nothing is due to be sent, at most longest.
func (w *worker) untilNextSend(longest time.Duration) time.Duration {
	for _, s := range w.senders {
		longest = min(longest, max(time.Until(s.due), 0))
	}
	return longest
}

// sendDue sends what is due. Events are due at fixed times, however long the server takes (an open loop): one that
// cannot keep up is not spared the load.
func (w *worker) sendDue() {
	now := time.Now()
	for _, s := range w.senders {
		for ; !s.due.After(now); s.due = s.due.Add(s.every) {
			c := s.group.clients[s.turn%len(s.group.clients)]
			s.turn++
			if c.stage == ready {
				w.fail(c, w.sendEvent(c, s.event))
			}
		}
	}
}

func (w *worker) sendEvent(c *client, event string) error {
	if len(c.out) > maxUnsent {
		w.counts.HeldBack++
		return nil
	}
	now := time.Now()
	event = strings.NewReplacer("{stamp}", strconv.FormatInt(now.UnixMicro(), 10),
		"{millis}", strconv.FormatInt(now.UnixMilli(), 10)).Replace(event)
	w.counts.Sent++
	if c.group.Bare {
		return w.write(c, wsframe.Text, []byte(event))
	}
	c.lastAck++
	c.waiting = append(c.waiting, sent{id: c.lastAck, at: now})
	return w.write(c, wsframe.Text, []byte("42"+strconv.Itoa(c.lastAck)+event))
}
