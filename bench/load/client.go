//go:build linux

package load

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"

	"rolecall/bench/wsframe"
)

// stage is how far a client has come.
type stage int8

const (
	upgrading  stage = iota // waits for the answer to the WebSocket handshake
	opening                 // waits for Engine.IO's open packet
	connecting              // waits for the answer to CONNECT
	joining                 // waits for the ack of room:join
	ready
	stalled // does not read
	gone
)

// Packets of Engine.IO v4 and Socket.IO v5, by their leading characters; see their protocol pages on socket.io.
const (
	packetOpen         = '0'
	packetPing         = '2'
	packetMessage      = '4'
	packetConnect      = '0'
	packetEvent        = '2'
	packetAck          = '3'
	packetConnectError = '4'
)

// joinAck is the ack id of room:join; ids of sent events are counted from the next.
const joinAck = 0

// client is one connection.
type client struct {
	fd      int
	group   *group
	stage   stage
	started time.Time // of the handshake
	token   string
	// abandoned: others no longer wait for this handshake.
	abandoned bool

	held []byte // read, and not a whole frame yet
	out  []byte // not written yet

	lastAck int
	waiting []sent // events without an ack yet, oldest first
}

type sent struct {
	id int
	at time.Time
}

// group is clients that do the same.
type group struct {
	Open
	clients []*client
	marker  []byte
	outcome Opened
	// unfinished is how many handshakes are under way, awaited those of them that others wait for.
	unfinished, awaited int
	// progress is when a handshake last began or ended.
	progress time.Time
}

var errClosed = errors.New("closed by the server")

// consume takes what has been read, and returns what is left of it.
func (w *worker) consume(c *client, data []byte) ([]byte, error) {
	if c.stage == upgrading {
		size, err := wsframe.Accepted(data)
		if size == 0 || err != nil {
			return data, err
		}
		data = data[size:]
		c.stage = opening
		if c.group.Bare {
			w.becameReady(c)
		}
	}
	for c.stage != gone {
		opcode, payload, size, err := wsframe.Next(data)
		if size == 0 || err != nil {
			return data, err
		}
		data = data[size:]
		switch {
		case opcode == wsframe.Close:
			return nil, fmt.Errorf("%w: close frame %q", errClosed, payload)
		case opcode == wsframe.Ping:
			err = w.write(c, wsframe.Pong, payload)
		case opcode == wsframe.Text && c.group.Bare:
			w.count(c.group, payload)
		case opcode == wsframe.Text && len(payload) > 0:
			err = w.packet(c, payload)
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// packet takes one Engine.IO packet.
func (w *worker) packet(c *client, text []byte) error {
	switch {
	case text[0] == packetOpen:
		c.stage = connecting
		return w.write(c, wsframe.Text, []byte(`40{"token":"`+c.token+`"}`))
	case text[0] == packetPing:
		return w.write(c, wsframe.Text, []byte("3"))
	case text[0] != packetMessage || len(text) < 2:
		return nil
	}
	switch text[1] {
	case packetConnect:
		c.token = ""
		if c.group.Room == "" {
			w.becameReady(c)
			return nil
		}
		c.stage = joining
		return w.write(c, wsframe.Text, []byte(fmt.Sprintf(`42%d["room:join",%q]`, joinAck, c.group.Room)))
	case packetConnectError:
		return fmt.Errorf("refused: %s", text[2:])
	case packetEvent:
		w.count(c.group, text)
	case packetAck:
		return w.acked(c, text[2:])
	}
	return nil
}

// acked takes an ack: its id, then its arguments.
func (w *worker) acked(c *client, text []byte) error {
	digits := bytes.IndexByte(text, '[')
	if digits < 0 {
		return fmt.Errorf("not an ack: %q", text)
	}
	id, err := strconv.Atoi(string(text[:digits]))
	if err != nil {
		return fmt.Errorf("not an ack: %q", text)
	}
	refused := bytes.Contains(text, []byte(`"status":"error"`))
	if c.stage == joining && id == joinAck {
		if refused {
			return fmt.Errorf("not let into the room: %s", text[digits:])
		}
		w.becameReady(c)
		return nil
	}
	for i, event := range c.waiting {
		if event.id != id {
			continue
		}
		c.waiting = append(c.waiting[:i], c.waiting[i+1:]...)
		if refused {
			w.counts.Refused++
			return nil
		}
		w.counts.Acked++
		w.counts.AckLatency.Add(time.Since(event.at))
		return nil
	}
	return fmt.Errorf("an ack that nobody waits for: %q", text)
}

// count counts the markers in a message.
func (w *worker) count(g *group, text []byte) {
	if len(g.marker) == 0 {
		return
	}
	var now int64
	for {
		at := bytes.Index(text, g.marker)
		if at < 0 {
			return
		}
		text = text[at+len(g.marker):]
		if now == 0 {
			now = time.Now().UnixMicro()
		}
		w.counts.Delivered++
		w.counts.Latency.Add(time.Duration(now-leadingNumber(text)) * time.Microsecond)
	}
}

func leadingNumber(text []byte) int64 {
	var number int64
	for _, digit := range text {
		if digit < '0' || digit > '9' {
			break
		}
		number = number*10 + int64(digit-'0')
	}
	return number
}
