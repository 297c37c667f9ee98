//go:build unix

package rolling

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/roles"
	"rolecall/internal/simulation/sioclient"
	"rolecall/test/harness"
)

const (
	// ready is what a crowd writes when all of its clients are connected.
	ready = "ready\n"
	// perAddress is how many clients come from one address.
	perAddress = 100
	// dialling is how many connect at a time at first.
	dialling = 16
	// comeBack is after what time a client that has lost its connection comes back, give or take half of it: the official
	// clients' reconnectionDelay and randomizationFactor.
	comeBack = time.Second
	// patience is how long a handshake, a request or an ack may take.
	patience = 20 * time.Second
	// between is how often drivers report, writers write and those who use REST ask.
	betweenReports, betweenMessages, betweenRequests = 5 * time.Second, 2 * time.Second, 100 * time.Millisecond
)

// play is the clients of a crowd, and what they see.
type play struct {
	order
	ctx  context.Context
	stop context.CancelFunc
	all  sync.WaitGroup

	mu sync.Mutex
	report
}

func newPlay(o order) *play {
	p := &play{order: o, report: report{Connects: map[int64]int{}, Messages: map[string]string{}, Positions: map[string][]int64{}}}
	p.ctx, p.stop = context.WithCancel(context.Background())
	return p
}

// run plays until the input ends, and writes the report.
func (p *play) run(input io.Reader, output io.Writer) error {
	defer p.stop()
	turns := make(chan struct{}, dialling)
	var first sync.WaitGroup
	first.Add(p.Clients)
	for i := range p.Clients {
		p.all.Go(func() { p.client(i, turns, sync.OnceFunc(first.Done)) })
	}
	first.Wait()
	for i := range 4 {
		p.all.Go(func() { p.ask(i) })
	}
	if _, err := io.WriteString(output, ready); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, input); err != nil {
		return err
	}
	p.stop()
	p.all.Wait()
	return json.NewEncoder(output).Encode(&p.report)
}

// fail notes what has failed, but for what ends with the play.
func (p *play) fail(what string, err error) {
	if p.ctx.Err() != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.Failures = append(p.Failures, fmt.Sprintf("%s %s: %v", time.Now().Format("15:04:05.000"), what, err))
}

// who is the person of a client: of ten three drive, one is a company's, and the others are of none.
func (p *play) who(i int) auth.Identity {
	id := fmt.Sprintf("p%d-%d", p.Crowd, i)
	switch i % 10 {
	case 0, 1, 2:
		return harness.Person(id, roles.Driver, fmt.Sprintf("c%d", i%7))
	case 3:
		return harness.Person(id, roles.Company, fmt.Sprintf("c%d", i%7))
	default:
		return harness.Person(id, roles.Vendor, "")
	}
}

func (p *play) token(who auth.Identity) string {
	token, err := auth.Mint([]byte(harness.Secret), who)
	if err != nil {
		panic(err) // of a person of this test there is none
	}
	return token
}

// from is a transport of the client's own address.
func (p *play) from(i int) *http.Transport {
	address := &net.TCPAddr{IP: net.IPv4(127, 0, byte(10+p.Crowd), byte(1+i/perAddress))}
	return &http.Transport{DialContext: (&net.Dialer{LocalAddr: address}).DialContext}
}

// client is connected, and comes back by itself, until the play is over.
func (p *play) client(i int, turns chan struct{}, connected func()) {
	who, web := p.who(i), p.from(i)
	web.DisableKeepAlives = true
	token := p.token(who)
	begun := time.Now().UnixMilli()
	for n := 0; p.ctx.Err() == nil; {
		turns <- struct{}{}
		dialling, cancel := context.WithTimeout(p.ctx, patience)
		socket, err := sioclient.Dial(dialling, p.URL, sioclient.Options{
			Auth: map[string]string{"token": token}, HTTPClient: &http.Client{Transport: web}, OnlyEvents: []string{},
		})
		cancel()
		<-turns
		if err == nil {
			p.mu.Lock()
			p.Connects[time.Now().Unix()]++
			p.mu.Unlock()
		}
		if err != nil {
			p.fail("connect "+who.UserID, err)
		} else {
			connected()
			n = p.stay(socket, i, who, begun, n)
		}
		p.pause(time.Duration(float64(comeBack) * (0.5 + rand.Float64())))
	}
}

func (p *play) pause(length time.Duration) {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.ctx.Done():
	}
}

// stay does what a client does while it is connected. What is not acknowledged is sent again.
func (p *play) stay(socket *sioclient.Client, i int, who auth.Identity, begun int64, n int) int {
	defer socket.Abort()
	room := fmt.Sprintf("room-%d", i%20)
	if who.Role == roles.Vendor {
		p.call(socket, "room:join", map[string]any{"roomId": room, "limit": 10})
	}
	every := betweenMessages
	if who.Role == roles.Driver {
		every = betweenReports
	}
	p.sleep(socket, time.Duration(rand.Int64N(int64(every))))
	for p.ctx.Err() == nil && socket.Err() == nil {
		switch {
		case who.Role == roles.Driver:
			ts := begun + int64(n)
			if p.call(socket, "tracking:update", map[string]any{"lat": float64(n%90) / 2, "lng": 7.5, "ts": ts}) != nil {
				p.mu.Lock()
				p.Positions[who.UserID] = append(p.Positions[who.UserID], ts)
				p.mu.Unlock()
				n++
			}
		case i%50 == 4:
			clientID := fmt.Sprintf("%s-%d", who.UserID, n)
			if p.say(socket, room, clientID) {
				n++
			}
		}
		p.sleep(socket, every)
	}
	return n
}

func (p *play) say(socket *sioclient.Client, room, clientID string) bool {
	raw := p.call(socket, "chat:message", map[string]any{"roomId": room, "text": clientID, "clientId": clientID})
	if raw == nil {
		return false
	}
	p.said(clientID, raw)
	return true
}

func (p *play) said(clientID string, raw []byte) {
	var receipt struct{ MessageID string }
	if err := json.Unmarshal(raw, &receipt); err != nil || receipt.MessageID == "" {
		p.fail("a receipt", fmt.Errorf("%s: %w", raw, err))
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.Messages[clientID] = receipt.MessageID
}

// call returns the ack of what is taken, nil where the connection ends before. It is no failure that it does: the client comes
// back, and sends what it still has.
func (p *play) call(socket *sioclient.Client, event string, payload any) json.RawMessage {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	raw, err := socket.Call(ctx, event, payload)
	if err != nil {
		if ctx.Err() != nil {
			p.fail(event, err)
		}
		return nil
	}
	var ack harness.Ack
	if err := json.Unmarshal(raw, &ack); err != nil || ack.Status != "ok" {
		p.fail(event, fmt.Errorf("answered with %s", raw))
		return nil
	}
	return raw
}

// sleep waits, but no longer than the socket is there.
func (p *play) sleep(socket *sioclient.Client, length time.Duration) {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-socket.Done():
	case <-p.ctx.Done():
	}
}

// ask uses REST, one request after the other, over connections that are kept: of all three kinds none may fail.
func (p *play) ask(i int) {
	web := p.from(i)
	defer web.CloseIdleConnections()
	client := &http.Client{Transport: web, Timeout: patience}
	driver := harness.Person(fmt.Sprintf("rest-driver-%d-%d", p.Crowd, i), roles.Driver, "c1")
	writer := harness.Person(fmt.Sprintf("rest-writer-%d-%d", p.Crowd, i), roles.Vendor, "")
	begun := time.Now().UnixMilli()
	for n := 0; p.ctx.Err() == nil; n++ {
		ts, clientID := begun+int64(n), fmt.Sprintf("%s-%d", writer.UserID, n)
		p.request(client, driver, http.MethodGet, "/api/v1/me", nil)
		if p.request(client, driver, http.MethodPost, "/api/v1/positions", map[string]any{"lat": 1.5, "lng": 2.5, "ts": ts}) != nil {
			p.mu.Lock()
			p.Positions[driver.UserID] = append(p.Positions[driver.UserID], ts)
			p.mu.Unlock()
		}
		if raw := p.request(client, writer, http.MethodPost, "/api/v1/rooms/rest/messages", map[string]any{"text": clientID, "clientId": clientID}); raw != nil {
			p.said(clientID, raw)
		}
		p.pause(betweenRequests)
	}
}

// request returns the body of an answer that is no refusal.
func (p *play) request(client *http.Client, who auth.Identity, method, path string, body any) []byte {
	encoded, err := json.Marshal(body)
	if err != nil {
		panic(err) // of what this test sends there is none
	}
	content := io.Reader(http.NoBody)
	if body != nil {
		content = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(p.ctx, method, p.URL+path, content)
	if err != nil {
		panic(err)
	}
	request.Header.Set("Authorization", "Bearer "+p.token(who))
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := client.Do(request)
	if err != nil {
		p.fail(method+" "+path, err)
		return nil
	}
	p.mu.Lock()
	p.Asked++
	p.mu.Unlock()
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode >= http.StatusMultipleChoices {
		p.fail(method+" "+path, fmt.Errorf("%s %s: %w", response.Status, answer, err))
		return nil
	}
	return answer
}
