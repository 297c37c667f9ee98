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
	Send
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
				w.fail(c, w.sendEvent(c, &s.Send))
			}
		}
	}
}

func (w *worker) sendEvent(c *client, s *Send) error {
	if len(c.out) > maxUnsent {
		w.counts.HeldBack++
		return nil
	}
	now := time.Now()
	event := s.at(now)
	w.counts.Sent++
	if c.group.Bare {
		return w.write(c, wsframe.Text, []byte(event))
	}
	c.lastAck++
	c.waiting = append(c.waiting, sent{id: c.lastAck, at: now})
	return w.write(c, wsframe.Text, []byte("42"+strconv.Itoa(c.lastAck)+event))
}

// at is the event as it is sent at a time.
func (s *Send) at(now time.Time) string {
	event := stamped(s.Event, now.UnixMicro(), now.UnixMilli())
	if s.Items == 0 {
		return event
	}
	items := make([]string, s.Items)
	for i := range items {
		before := int64(s.Items - 1 - i)
		items[i] = stamped(s.Item, now.UnixMicro()-before, now.UnixMilli()-before)
	}
	return strings.Replace(event, "{items}", strings.Join(items, ","), 1)
}

func stamped(text string, micros, millis int64) string {
	text = strings.ReplaceAll(text, "{stamp}", strconv.FormatInt(micros, 10))
	return strings.ReplaceAll(text, "{millis}", strconv.FormatInt(millis, 10))
}
