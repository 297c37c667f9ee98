package hostile_test

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"

	"rolecall/internal/roles"
	"rolecall/test/harness"
)

// attack is something that one client, or a few, may try.
type attack struct {
	// run goes on until the arena says that it is over.
	run func(a *arena)
	// harmless attacks are none: nobody has to be limited.
	harmless bool
	settings []string // of the server
}

// perUser is how many sockets a user may have.
const perUser = 20

// attacks are the ways in which one token, or a few, was once able to make all others pay.
func attacks() map[string]attack {
	return map[string]attack{
		"connecting and leaving":            {run: connectAndLeave, settings: []string{"ROLECALL_HANDSHAKES_PER_IP=off"}},
		"connecting and leaving namespaces": {run: cycleNamespaces},
		"tokens that are none":              {run: badTokens},
		"tiny arguments":                    {run: tinyArguments},
		"attachments that never come":       {run: missingAttachments},
		"pages that are not read":           {run: unreadPages},
		"acks that nobody asked for":        {run: flooding(ws.OpText, `431["x"]`)},
		"pongs that nobody asked for":       {run: flooding(ws.OpText, "3")},
		"WebSocket pings":                   {run: flooding(ws.OpPing, "")},
		"events to a namespace left":        {run: flooding(ws.OpText, `42/chat,["x"]`)},
		"events that nobody knows":          {run: flooding(ws.OpText, `42["no:such"]`)},
		"empty polls":                       {run: emptyPolls},
		"a large company":                   {run: largeCompany, harmless: true},
		"searches":                          {run: searches},
		"groups of strangers":               {run: strangersGroups},
		"read marks":                        {run: readMarks},
		"batches of positions":              {run: batches},
		"idle connections":                  {run: idleConnections, harmless: true},
		"compressed bombs":                  {run: bombs, settings: []string{"ROLECALL_COMPRESS_FROM=1024"}},
	}
}

// connectAndLeave: 100 connections of five people of one company.
func connectAndLeave(a *arena) {
	a.many(5*perUser, func(i int) {
		for !a.over() {
			if c := a.enter(person(i/perUser, roles.Company), ""); c != nil {
				c.send("41")
				_ = c.conn.Close()
			}
		}
	})
}

// cycleNamespaces: the same on one connection.
func cycleNamespaces(a *arena) {
	token := harness.Token(a.t, person(0, roles.Company))
	a.many(perUser, func(int) {
		for !a.over() {
			c := a.open()
			for c != nil && !a.over() && c.connect(token, "") && c.send("41") {
			}
		}
	})
}

// badTokens: somebody who has none.
func badTokens(a *arena) {
	token := harness.Token(a.t, person(0, roles.Admin))
	token = token[:len(token)-4] + "AAAA"
	a.many(perUser, func(int) {
		for !a.over() {
			c := a.open()
			for range 10 {
				if c == nil || a.over() || c.connect(token, "") {
					break
				}
			}
		}
	})
}

// tinyArguments: a comma and a digit each.
func tinyArguments(a *arena) {
	data := frames(ws.OpText, `42["x"`+strings.Repeat(",1", 490_000)+`]`, 1)
	a.many(5*perUser, func(i int) {
		for !a.over() {
			if c := a.enter(person(i/perUser, roles.Vendor), ""); c != nil {
				c.listen()
				c.flood(data)
			}
		}
	})
}

// missingAttachments: all but the last of them come.
func missingAttachments(a *arena) {
	part := frames(ws.OpBinary, strings.Repeat("x", 100_000), 9)
	a.many(5*perUser, func(i int) {
		c := a.enter(person(i/perUser, roles.Vendor), "")
		if c == nil {
			return
		}
		c.listen()
		c.send(`4510-["x"]`)
		c.write(part)
		<-a.ctx.Done()
	})
}

// unreadPages: 15 people ask for pages of long messages and read nothing for half of the time.
func unreadPages(a *arena) {
	people := 15
	if !soaking() {
		people = 3
	}
	a.many(people*perUser, func(i int) {
		c := a.enter(person(i/perUser, roles.Vendor), "")
		if c == nil {
			return
		}
		reading := time.AfterFunc(a.size.attack/2, c.listen)
		defer reading.Stop()
		ask := frames(ws.OpText, event(1, "chat:history", map[string]any{"roomId": longRoom, "limit": 200}), 5)
		for !a.over() && c.write(ask) {
			select {
			case <-a.ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
}

// flooding has 20 sockets of one user send one thing as fast as it is taken.
func flooding(op ws.OpCode, text string) func(a *arena) {
	return func(a *arena) {
		who := person(0, roles.Vendor)
		token := harness.Token(a.t, who)
		data := frames(op, text, 1000)
		a.many(perUser/2, func(int) { // with two sockets on each connection
			c := a.enter(who, "")
			if c == nil {
				return
			}
			if c.connect(token, "/chat,") {
				c.send("41/chat,")
			}
			c.listen()
			for !a.over() {
				c.flood(data)
				select {
				case <-a.ctx.Done():
				case <-time.After(stuck):
				}
			}
		})
	}
}

// emptyPolls: 20 sessions are asked for what there is, and told nothing, as fast as they answer.
func emptyPolls(a *arena) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 10 * perUser}}
	defer client.CloseIdleConnections()
	a.many(perUser, func(int) {
		for !a.over() {
			endpoint := a.url + "/socket.io/?EIO=4&transport=polling"
			answer, err := client.Get(endpoint)
			if err != nil {
				return
			}
			opened, _ := io.ReadAll(answer.Body)
			_ = answer.Body.Close()
			_, sid, _ := strings.Cut(string(opened), `"sid":"`)
			sid, _, _ = strings.Cut(sid, `"`)
			a.many(5, func(int) {
				for range 200 {
					if a.over() {
						return
					}
					a.ask(client, "", http.MethodPost, "/socket.io/?EIO=4&transport=polling&sid="+sid, "6")
				}
			})
		}
	})
}

// largeCompany: its staff come to work at once. That is no attack.
func largeCompany(a *arena) {
	staff := 900
	if !soaking() {
		staff = 100
	}
	a.many(staff, func(i int) {
		c := a.enter(person(i, roles.Company), "")
		if c != nil {
			c.listen()
			<-a.ctx.Done()
		}
	})
}

// searches: three vendors look for people as fast as they are answered.
func searches(a *arena) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	defer client.CloseIdleConnections()
	a.many(12, func(i int) {
		token := harness.Token(a.t, person(i%3, roles.Vendor))
		for n := 0; !a.over(); n++ {
			a.ask(client, token, http.MethodGet, fmt.Sprintf("/api/v1/users?q=%d", n%1000), "")
		}
	})
}

// strangersGroups: somebody puts 499 people whom they do not know into a group, again and again.
func strangersGroups(a *arena) {
	var members []string
	for i := range 499 {
		members = append(members, fmt.Sprint("person-", i))
	}
	a.many(perUser, func(int) {
		c := a.enter(person(0, roles.Vendor), "")
		if c == nil {
			return
		}
		c.listen()
		c.flood(frames(ws.OpText, event(1, "room:create", map[string]any{"name": "all of you", "members": members}), 10))
	})
}

// readMarks: somebody moves their mark through a room of very many messages.
func readMarks(a *arena) {
	a.many(perUser, func(i int) {
		c := a.enter(person(i%4, roles.Vendor), "")
		if c == nil {
			return
		}
		c.listen()
		for n := 0; !a.over(); n = (n + 7) % a.size.messages {
			if !c.send(event(1, "chat:read", map[string]any{"roomId": largeRoom, "messageId": fmt.Sprintf("%s-%d", largeRoom, n)})) {
				return
			}
		}
	})
}

// batches: a driver sends 500 positions at a time.
func batches(a *arena) {
	now := time.Now().UnixMilli()
	a.many(perUser, func(i int) {
		c := a.enter(person(0, roles.Driver), "")
		if c == nil {
			return
		}
		c.listen()
		for n := 0; !a.over(); n++ {
			batch := make([]map[string]any, 500)
			for k := range batch {
				batch[k] = map[string]any{"lat": 50, "lng": 8, "ts": now - int64(i*1_000_000+n*500+k)}
			}
			if !c.send(event(1, "tracking:update", batch)) {
				return
			}
		}
	})
}

// idleConnections: connections that have asked once and then keep silent.
func idleConnections(a *arena) {
	count := 5000
	if !soaking() {
		count = 500
	}
	for range count {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(a.ctx, "tcp", strings.TrimPrefix(a.url, "http://"))
		if err != nil {
			a.limited("not connected")
			break
		}
		a.mu.Lock()
		a.conns = append(a.conns, conn)
		a.mu.Unlock()
		_, _ = io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n") // it may be closed already
	}
	<-a.ctx.Done()
}

// bombs: frames of 900 bytes that become 900 kB.
func bombs(a *arena) {
	var small bytes.Buffer
	writer, err := flate.NewWriter(&small, flate.BestCompression)
	if err != nil {
		a.t.Error(err)
		return
	}
	_, _ = io.WriteString(writer, `42["x","`+strings.Repeat("x", 900_000)+`"]`) // to memory
	_ = writer.Flush()
	frame := ws.NewFrame(ws.OpText, true, bytes.TrimSuffix(small.Bytes(), []byte("\x00\x00\xff\xff")))
	frame.Header.Rsv = ws.Rsv(true, false, false)
	var data bytes.Buffer
	for range 10 {
		_ = ws.WriteFrame(&data, ws.MaskFrame(frame))
	}
	offer := wsflate.DefaultParameters.Option()
	a.many(5*perUser, func(i int) {
		for !a.over() {
			c := a.open(offer)
			if c == nil || !c.connect(harness.Token(a.t, person(i/perUser, roles.Vendor)), "") {
				continue
			}
			c.listen()
			c.flood(data.Bytes())
		}
	})
}
