package sioclient

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// Engine.IO v4 packet types, as they stand at the start of a text frame
// (https://socket.io/docs/v4/engine-io-protocol/#packet-types).
const (
	engineOpen    = '0'
	engineClose   = '1'
	enginePing    = '2'
	enginePong    = '3'
	engineMessage = '4'
	engineNoop    = '6'
)

const (
	defaultPath       = "/socket.io/"
	defaultMaxMessage = 16 << 20
	// maxErrorBody bounds what is kept of the answer of a server which refused the handshake.
	maxErrorBody = 1024
	// minInterval and maxInterval bound the intervals a server may announce, so that a wrong
	// number neither ends a connection at once nor overflows.
	minInterval = time.Millisecond
	maxInterval = time.Hour
)

// HandshakeError is an HTTP answer other than 101 to the opening request.
type HandshakeError struct {
	Status int
	Header http.Header
	// Body is the start of the answer's body.
	Body string
}

func (e *HandshakeError) Error() string {
	return fmt.Sprintf("handshake refused with HTTP status %d: %s", e.Status, strings.TrimSpace(e.Body))
}

// Engine is one Engine.IO v4 session over WebSocket, without anything automatic: it answers no
// pings and sends no CONNECT. Tests use it to behave in ways a proper client does not; Client is
// built on it. Send methods may be called by several goroutines, Receive by one at a time.
type Engine struct {
	// PingInterval and PingTimeout are the server's: a ping comes every PingInterval.
	PingInterval, PingTimeout time.Duration
	// MaxPayload is the most bytes the server takes in one message; 0 where it did not say.
	MaxPayload int64

	conn       *websocket.Conn
	httpClient *http.Client
}

// OpenEngine opens a WebSocket at baseURL ("http://host:port" or "https://…") and reads the open
// packet. Of the options it uses Path, Query, Header, HTTPClient and MaxMessage. An HTTP refusal
// is a *HandshakeError.
func OpenEngine(ctx context.Context, baseURL string, opts Options) (*Engine, error) {
	address, err := engineURL(baseURL, opts)
	if err != nil {
		return nil, err
	}
	httpClient := opts.HTTPClient
	if httpClient == nil {
		httpClient = newHTTPClient()
	}
	header := opts.Header.Clone()
	if header == nil {
		header = make(http.Header)
	}
	// The library empties and closes the body of a refusal itself and puts its start back.
	conn, resp, err := websocket.Dial(ctx, address, &websocket.DialOptions{ //nolint:bodyclose // see above
		HTTPClient: httpClient,
		HTTPHeader: header,
	})
	if err != nil {
		return nil, dialError(resp, err)
	}
	limit := opts.MaxMessage
	if limit <= 0 {
		limit = defaultMaxMessage
	}
	conn.SetReadLimit(limit)
	engine := &Engine{conn: conn, httpClient: httpClient}
	if err := engine.readOpen(ctx); err != nil {
		engine.Abort()
		return nil, err
	}
	return engine, nil
}

// newHTTPClient makes a client which keeps no idle connections, so nothing is left running after
// a refusal.
func newHTTPClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DisableKeepAlives:   true,
		TLSHandshakeTimeout: 10 * time.Second,
	}}
}

func engineURL(baseURL string, opts Options) (string, error) {
	address, err := url.Parse(baseURL)
	if err != nil {
		return "", fmt.Errorf("parse the server's address: %w", err)
	}
	switch address.Scheme {
	case "http", "https", "ws", "wss":
	default:
		return "", fmt.Errorf("the server's address %q must begin with http:// or https://", baseURL)
	}
	if address.Host == "" {
		return "", fmt.Errorf("the server's address %q names no host", baseURL)
	}
	path := opts.Path
	if path == "" {
		path = defaultPath
	}
	address.Path = strings.TrimSuffix(address.Path, "/") + path
	query := url.Values{}
	for name, values := range opts.Query {
		query[name] = values
	}
	query.Set("EIO", "4")
	query.Set("transport", "websocket")
	address.RawQuery = query.Encode()
	address.Fragment = ""
	return address.String(), nil
}

func dialError(resp *http.Response, err error) error {
	if resp == nil || resp.StatusCode == http.StatusSwitchingProtocols {
		return fmt.Errorf("open the WebSocket: %w", err)
	}
	refused := &HandshakeError{Status: resp.StatusCode, Header: resp.Header}
	if resp.Body != nil {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
		refused.Body = string(body)
	}
	return refused
}

// readOpen takes the open packet (https://socket.io/docs/v4/engine-io-protocol/#handshake).
func (e *Engine) readOpen(ctx context.Context) error {
	text, binary, err := e.Receive(ctx)
	if err != nil {
		return fmt.Errorf("wait for the open packet: %w", err)
	}
	if binary != nil || text == "" || text[0] != engineOpen {
		return fmt.Errorf("%w: the first packet is not an open packet", ErrProtocol)
	}
	var open struct {
		SID          string `json:"sid"`
		PingInterval int64  `json:"pingInterval"`
		PingTimeout  int64  `json:"pingTimeout"`
		MaxPayload   int64  `json:"maxPayload"`
	}
	if err := json.Unmarshal([]byte(text[1:]), &open); err != nil {
		return fmt.Errorf("%w: open packet: %w", ErrProtocol, err)
	}
	if open.SID == "" {
		return fmt.Errorf("%w: open packet without sid", ErrProtocol)
	}
	e.MaxPayload = open.MaxPayload
	e.PingInterval, e.PingTimeout = interval(open.PingInterval), interval(open.PingTimeout)
	return nil
}

func interval(millis int64) time.Duration {
	millis = max(minInterval.Milliseconds(), min(millis, maxInterval.Milliseconds()))
	return time.Duration(millis) * time.Millisecond
}

// Send writes one text frame: an Engine.IO packet such as "40" or "2probe". A context that ends
// during the write closes the connection.
func (e *Engine) Send(ctx context.Context, packet string) error {
	if err := e.conn.Write(ctx, websocket.MessageText, []byte(packet)); err != nil {
		return fmt.Errorf("send a packet: %w", err)
	}
	return nil
}

// SendBinary writes one binary frame: an attachment.
func (e *Engine) SendBinary(ctx context.Context, data []byte) error {
	if err := e.conn.Write(ctx, websocket.MessageBinary, data); err != nil {
		return fmt.Errorf("send an attachment: %w", err)
	}
	return nil
}

// Receive reads the next frame: text, or binary (then not nil). A context that ends during the
// read closes the connection. A close by the server is an error holding a websocket.CloseError.
func (e *Engine) Receive(ctx context.Context) (text string, binary []byte, err error) {
	kind, data, err := e.conn.Read(ctx)
	if err != nil {
		return "", nil, fmt.Errorf("receive a packet: %w", err)
	}
	if kind == websocket.MessageBinary {
		if data == nil {
			data = []byte{}
		}
		return "", data, nil
	}
	return string(data), nil, nil
}

// Close ends the session with a WebSocket close handshake, for which it waits up to 5 s.
func (e *Engine) Close() {
	_ = e.conn.Close(websocket.StatusNormalClosure, "") // closed it is, in politeness or not
}

// Abort drops the connection without a word to the server, as a phone does that loses its network.
func (e *Engine) Abort() {
	_ = e.conn.CloseNow() // only says that it was closed already
}
