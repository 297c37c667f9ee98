package hostile_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/httphead"
	"github.com/gobwas/ws"

	"rolecall/internal/auth"
	"rolecall/internal/roles"
	"rolecall/test/harness"
)

// arena is where an attack takes place.
type arena struct {
	t    *testing.T
	url  string
	size sizes
	ctx  context.Context //nolint:containedctx // the attack lasts as long

	together sync.WaitGroup
	answers  atomic.Int64
	mu       sync.Mutex
	limits   map[string]int // what attackers were told, and how often
	conns    []net.Conn
}

// limited notes that an attacker has met with a limit.
func (a *arena) limited(by string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.limits[by]++
}

// met returns what the attackers have met with.
func (a *arena) met() map[string]int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.limits)
}

// over says whether the attack is.
func (a *arena) over() bool { return a.ctx.Err() != nil }

// leave has all attackers go without a word.
func (a *arena) leave() {
	a.mu.Lock()
	conns := a.conns
	a.mu.Unlock()
	for _, conn := range conns {
		_ = conn.Close()
	}
	a.together.Wait()
}

// many has so many attackers do the same side by side, until the attack is over.
func (a *arena) many(count int, do func(i int)) {
	var all sync.WaitGroup
	for i := range count {
		all.Go(func() { do(i) })
	}
	all.Wait()
}

// person is one of the attackers, of a company or of none.
func person(i int, role roles.Role) auth.Identity {
	company := ""
	if role == roles.Company || role == roles.Driver {
		company = victimCo
	}
	return harness.Person(fmt.Sprint("mal-", role, "-", i), role, company)
}

// raw is an attacker's connection.
type raw struct {
	*arena
	conn net.Conn
	in   *bufio.Reader
}

// stuck is how long a write may take before it counts as a limit that the attacker has met: nothing is read from it.
const stuck = 700 * time.Millisecond

// open opens a WebSocket; nil where that is refused.
func (a *arena) open(offers ...httphead.Option) *raw {
	dialer := ws.Dialer{Timeout: harness.Deadline, Extensions: offers}
	conn, early, _, err := dialer.Dial(a.ctx, "ws"+strings.TrimPrefix(a.url, "http")+"/socket.io/?EIO=4&transport=websocket")
	if err != nil {
		if !a.over() {
			a.limited("handshake refused")
		}
		return nil
	}
	a.mu.Lock()
	a.conns = append(a.conns, conn)
	a.mu.Unlock()
	if early == nil {
		early = bufio.NewReader(conn)
	}
	return &raw{arena: a, conn: conn, in: early}
}

// enter opens a WebSocket and connects a namespace; nil where either is refused.
func (a *arena) enter(who auth.Identity, namespace string) *raw {
	c := a.open()
	if c == nil || !c.connect(harness.Token(a.t, who), namespace) {
		return nil
	}
	return c
}

// connect reports whether the client is let into the namespace, "" or "/chat,".
func (c *raw) connect(token, namespace string) bool {
	if !c.send(`40` + namespace + `{"token":"` + token + `"}`) {
		return false
	}
	for {
		switch text, err := c.read(); {
		case err != nil:
			return false
		case strings.HasPrefix(text, "40"):
			return true
		case strings.HasPrefix(text, "44"):
			return false
		}
	}
}

// frames is a text frame so many times, as a client sends it.
func frames(op ws.OpCode, text string, count int) []byte {
	var out bytes.Buffer
	frame := ws.MaskFrame(ws.NewFrame(op, true, []byte(text)))
	for range count {
		_ = ws.WriteFrame(&out, frame) // cannot fail
	}
	return out.Bytes()
}

// send reports false where the connection is over, or nothing is read from it.
func (c *raw) send(text string) bool { return c.write(frames(ws.OpText, text, 1)) }

func (c *raw) write(data []byte) bool {
	_ = c.conn.SetWriteDeadline(time.Now().Add(stuck)) // a write to a broken connection fails as well
	_, err := c.conn.Write(data)
	switch {
	case err == nil:
		return true
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.limited("not read from")
	case !c.over():
		c.limited("connection closed")
	}
	return false
}

// read returns the next text.
func (c *raw) read() (string, error) {
	for {
		header, err := ws.ReadHeader(c.in)
		if err != nil {
			if !c.over() {
				c.limited("connection closed")
			}
			return "", err
		}
		payload := make([]byte, header.Length)
		if _, err := io.ReadFull(c.in, payload); err != nil {
			return "", err
		}
		if header.OpCode == ws.OpClose {
			if !c.over() && len(payload) >= 2 {
				c.limited(fmt.Sprint("closed with ", binary.BigEndian.Uint16(payload)))
			}
			return "", io.EOF
		}
		text := string(payload)
		if text == "2" {
			_ = c.write(frames(ws.OpText, "3", 1))
			continue
		}
		c.judge(text)
		return text, nil
	}
}

// judge notes what the server says about limits.
func (c *raw) judge(text string) {
	c.answers.Add(1)
	for _, code := range []string{"rate_limited", "too_large", "invalid_payload", "abuse", "slow_reader", "too_many_connections", "forbidden", "auth_invalid", "not_found"} {
		if strings.Contains(text, `"`+code+`"`) {
			c.limited(code)
		}
	}
}

// listen reads what comes until the connection is over.
func (c *raw) listen() {
	c.together.Go(func() {
		for {
			if _, err := c.read(); err != nil {
				return
			}
		}
	})
}

// flood sends the same again and again until the attack is over, or nothing more is read, in which case it begins anew.
func (c *raw) flood(data []byte) {
	for !c.over() && c.write(data) {
	}
}

// event is an event that asks for an ack.
func event(id int, name string, payload any) string {
	encoded, err := json.Marshal([]any{name, payload})
	if err != nil {
		panic(err) // the payloads of attacks can be encoded
	}
	return fmt.Sprintf("42%d%s", id, encoded)
}

// ask calls a REST route and notes what the server says about limits.
func (a *arena) ask(client *http.Client, token, method, path, body string) {
	request, err := http.NewRequestWithContext(a.ctx, method, a.url+path, strings.NewReader(body))
	if err != nil {
		a.t.Error(err)
		return
	}
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := client.Do(request)
	if err != nil {
		if !a.over() {
			a.limited("connection closed")
		}
		return
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.Copy(io.Discard, answer.Body)
	a.answers.Add(1)
	if answer.StatusCode >= http.StatusBadRequest {
		a.limited(fmt.Sprint("status ", answer.StatusCode))
	}
}
