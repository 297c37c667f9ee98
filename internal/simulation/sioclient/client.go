// Package sioclient is a small Socket.IO v4 client over WebSocket, for programs which play many
// clients and for tests of a whole server. It does not reconnect: a Client is one connection of
// one namespace, and when it has ended a new one is dialled.
package sioclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Why a connection ended, as Err reports it; errors from below are wrapped.
var (
	// ErrClosed: Close was called here.
	ErrClosed = errors.New("connection closed by this client")
	// ErrServerDisconnect: the server disconnected this socket.
	ErrServerDisconnect = errors.New("disconnected by the server")
	// ErrPingTimeout: the server's heartbeat failed to come.
	ErrPingTimeout = errors.New("no ping from the server in time")
	// ErrOverflow: more was received than Options.MaxBuffered allows to keep.
	ErrOverflow = errors.New("more events received than may be buffered")
)

const (
	defaultMaxBuffered = 16 << 20
	// writeTimeout bounds the writes which no caller's context bounds: pongs.
	writeTimeout = 10 * time.Second
	// farewellTimeout bounds the DISCONNECT packet written by Close.
	farewellTimeout = time.Second
)

// Options says how to connect; the zero value connects to "/" without authentication.
type Options struct {
	// Namespace is "/" where empty.
	Namespace string
	// Auth is the CONNECT payload, encoded as JSON; nil sends none.
	Auth any
	// Header is added to the opening HTTP request.
	Header http.Header
	// Path is where the server serves Socket.IO, "/socket.io/" where empty.
	Path string
	// Query is added to the opening request's own parameters.
	Query url.Values
	// HTTPClient makes the opening request; nil uses one made for this connection.
	HTTPClient *http.Client
	// MaxMessage bounds one received message in bytes, 16 MiB where 0.
	MaxMessage int64
	// MaxBuffered bounds the bytes of events kept until they are waited for or handled, 16 MiB
	// where 0. A client that would keep more ends with ErrOverflow.
	MaxBuffered int64
	// Observe is called with every event as it arrives, also with those that nobody waits for. It must not block.
	Observe func(Event)
	// OnlyEvents names the events to keep for Wait and On; others are dropped as they arrive.
	// Nil keeps all.
	OnlyEvents []string
}

// ConnectError is the server's refusal to connect a namespace (CONNECT_ERROR).
type ConnectError struct {
	Message string
	// Code is data.code of the refusal, empty where there is none.
	Code string
	// Data is the refusal's data as it came.
	Data json.RawMessage
}

func (e *ConnectError) Error() string {
	if e.Code == "" {
		return "connection refused: " + e.Message
	}
	return fmt.Sprintf("connection refused: %s (%s)", e.Message, e.Code)
}

// Client is one connected socket. Its methods may be called by several goroutines at once.
type Client struct {
	engine    *Engine
	namespace string
	inbox     *inbox
	observe   func(Event)
	maxBinary int64

	// writing is held by whoever writes, so that the frames of one packet stay together.
	writing chan struct{}
	nextID  atomic.Uint64
	closing atomic.Bool

	connected chan struct{}
	done      chan struct{}
	// err is written before done is closed.
	err error

	mu   sync.Mutex
	acks map[uint64]chan []json.RawMessage
}

// Dial opens a connection to the server at baseURL and connects the namespace. A refusal by the
// namespace is a *ConnectError, one by HTTP a *HandshakeError. ctx bounds dialling alone; the
// Client must be closed with Close or Abort.
func Dial(ctx context.Context, baseURL string, opts Options) (*Client, error) {
	connect := packet{kind: packetConnect, namespace: opts.Namespace}
	if connect.namespace == "" {
		connect.namespace = "/"
	}
	if !strings.HasPrefix(connect.namespace, "/") || strings.Contains(connect.namespace, ",") {
		return nil, fmt.Errorf("namespace %q must begin with / and hold no comma", opts.Namespace)
	}
	if opts.Auth != nil {
		auth, err := json.Marshal(opts.Auth)
		if err != nil {
			return nil, fmt.Errorf("encode the CONNECT payload: %w", err)
		}
		connect.data = auth
	}
	engine, err := OpenEngine(ctx, baseURL, opts)
	if err != nil {
		return nil, err
	}
	c := newClient(engine, connect.namespace, opts)
	go c.read()
	if err := c.connect(ctx, connect); err != nil {
		c.Abort()
		return nil, err
	}
	return c, nil
}

func newClient(engine *Engine, namespace string, opts Options) *Client {
	limit := opts.MaxBuffered
	if limit <= 0 {
		limit = defaultMaxBuffered
	}
	return &Client{
		engine:    engine,
		namespace: namespace,
		inbox:     newInbox(limit, opts.OnlyEvents),
		observe:   opts.Observe,
		maxBinary: limit,
		writing:   make(chan struct{}, 1),
		connected: make(chan struct{}),
		done:      make(chan struct{}),
		acks:      make(map[uint64]chan []json.RawMessage),
	}
}

func (c *Client) connect(ctx context.Context, connect packet) error {
	if err := c.send(ctx, connect, nil); err != nil {
		return err
	}
	select {
	case <-c.connected:
		return nil
	case <-c.done:
		select {
		case <-c.connected: // and over already: what was heard meanwhile can still be asked for
			return nil
		default:
			return c.err
		}
	case <-ctx.Done():
		return fmt.Errorf("wait for the CONNECT reply: %w", context.Cause(ctx))
	}
}

// Done is closed when the connection has ended.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err says why the connection ended; nil while it stands.
func (c *Client) Err() error {
	select {
	case <-c.done:
		return c.err
	default:
		return nil
	}
}

// Emit sends an event without asking for an acknowledgement. A context which ends in the middle
// of a write closes the connection, here and in the methods below.
func (c *Client) Emit(ctx context.Context, event string, args ...any) error {
	data, err := encodeEvent(event, args)
	if err != nil {
		return err
	}
	return c.send(ctx, packet{kind: packetEvent, namespace: c.namespace, data: data}, nil)
}

// Call sends an event and waits for its acknowledgement, of which it returns the first argument;
// nil where there is none. It ends with ctx, or with Err when the connection ends.
func (c *Client) Call(ctx context.Context, event string, args ...any) (json.RawMessage, error) {
	data, err := encodeEvent(event, args)
	if err != nil {
		return nil, err
	}
	return c.call(ctx, event, packet{kind: packetEvent, namespace: c.namespace, data: data}, nil)
}

// CallBinary is Call for an event of one payload, in which Placeholder(n) stands for attachments[n].
func (c *Client) CallBinary(ctx context.Context, event string, payload any, attachments ...[]byte) (json.RawMessage, error) {
	data, err := encodeEvent(event, []any{payload})
	if err != nil {
		return nil, err
	}
	p := packet{kind: packetBinaryEvent, namespace: c.namespace, attachments: len(attachments), data: data}
	return c.call(ctx, event, p, attachments)
}

func (c *Client) call(ctx context.Context, event string, p packet, attachments [][]byte) (json.RawMessage, error) {
	id := c.nextID.Add(1)
	p.id = &id
	answer := make(chan []json.RawMessage, 1)
	c.mu.Lock()
	c.acks[id] = answer
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.acks, id)
		c.mu.Unlock()
	}()
	if err := c.send(ctx, p, attachments); err != nil {
		return nil, err
	}
	select {
	case args := <-answer:
		return firstArgument(args), nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the acknowledgement of %q: %w", event, context.Cause(ctx))
	case <-c.done:
	}
	select {
	case args := <-answer: // it came just before the end
		return firstArgument(args), nil
	default:
		return nil, c.err
	}
}

func firstArgument(args []json.RawMessage) json.RawMessage {
	if len(args) == 0 {
		return nil
	}
	return args[0]
}

// SendRaw writes one text frame as it stands, such as "40/chat," or a packet no proper client sends.
func (c *Client) SendRaw(ctx context.Context, frame string) error {
	return c.write(ctx, func() error { return c.engine.Send(ctx, frame) })
}

func (c *Client) send(ctx context.Context, p packet, attachments [][]byte) error {
	if len(attachments) > maxAttachments {
		return fmt.Errorf("%d attachments, at most %d fit in one packet", len(attachments), maxAttachments)
	}
	return c.write(ctx, func() error {
		if err := c.engine.Send(ctx, string(engineMessage)+p.String()); err != nil {
			return err
		}
		for _, attachment := range attachments {
			if err := c.engine.SendBinary(ctx, attachment); err != nil {
				return err
			}
		}
		return nil
	})
}

// write runs one packet's writes while no other packet is written.
func (c *Client) write(ctx context.Context, frames func() error) error {
	if err := c.Err(); err != nil {
		return err
	}
	select {
	case c.writing <- struct{}{}:
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return fmt.Errorf("wait to write: %w", context.Cause(ctx))
	}
	defer func() { <-c.writing }()
	if err := frames(); err != nil {
		if reason := c.Err(); reason != nil {
			return reason
		}
		return err
	}
	return nil
}

// Wait returns the first argument of the next event of that name, in order of arrival; nil where
// the event has none. Events of other names stay for their own Wait. What arrived before the
// connection ended can still be waited for; after it Wait returns Err.
func (c *Client) Wait(ctx context.Context, event string) (json.RawMessage, error) {
	ev, err := c.inbox.wait(ctx, c, func(name string) bool { return name == event })
	if err != nil {
		return nil, err
	}
	return firstArgument(ev.Args), nil
}

// Next returns the next event of any name.
func (c *Client) Next(ctx context.Context) (Event, error) {
	return c.inbox.wait(ctx, c, func(string) bool { return true })
}

// On has handler called with the first argument of every event of that name, those included that
// have arrived and were not waited for. Handlers are called one at a time, in order of arrival,
// and may use the client. Later calls replace the handler; nil takes it away.
func (c *Client) On(event string, handler func(payload json.RawMessage)) {
	c.inbox.on(event, handler)
}

// Close says goodbye, closes the connection and returns when nothing is read any more. No handler
// begins after it; one that runs finishes on its own.
func (c *Client) Close() {
	if c.closing.Swap(true) {
		<-c.done
		return
	}
	c.inbox.stop()
	if c.Err() == nil {
		ctx, cancel := context.WithTimeout(context.Background(), farewellTimeout)
		// Failing to say goodbye is no failure to close.
		_ = c.send(ctx, packet{kind: packetDisconnect, namespace: c.namespace}, nil)
		cancel()
		c.engine.Close()
	}
	<-c.done
}

// Abort drops the connection without a word to the server, as a phone does that loses its network.
func (c *Client) Abort() {
	c.closing.Store(true)
	c.inbox.stop()
	c.engine.Abort()
	<-c.done
}
