// Package socketstest is what the tests of the socket doors share: a realtime server served over HTTP, and clients that
// fail their test where a call fails.
package socketstest

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"rolecall/internal/limit"
	"rolecall/internal/payload"
	"rolecall/internal/realtime"
	"rolecall/internal/simulation/sioclient"
)

// Deadline is how long a test waits for what must happen; it runs out only where something is broken.
const Deadline = 20 * time.Second

// Rates are so high that no test meets them by accident. Each call returns a map of its own.
func Rates() map[limit.Kind]limit.Rate {
	all := limit.Defaults()
	for kind := range all {
		all[kind] = limit.Rate{Requests: 1_000_000, Period: time.Second, Burst: 1_000_000}
	}
	return all
}

// Decoder returns a new decoder of payloads.
func Decoder(t testing.TB) *payload.Decoder {
	t.Helper()
	decoder, err := payload.NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	return decoder
}

// Serve serves a realtime server until the test ends, drains it then, and returns its URL.
func Serve(t testing.TB, server realtime.Engine) (url string) {
	t.Helper()
	web := httptest.NewServer(server)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), Deadline)
		defer cancel()
		if err := server.Drain(ctx); err != nil {
			t.Errorf("drain: %v", err)
		}
		web.Close()
	})
	return web.URL
}

// Client is a connected client that fails its test where a call fails.
type Client struct {
	*sioclient.Client
	t testing.TB
}

// Dial connects a client that is closed at the end of t. It returns the errors of sioclient.Dial.
func Dial(t testing.TB, url string, options sioclient.Options) (*Client, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Deadline)
	defer cancel()
	c, err := sioclient.Dial(ctx, url, options)
	if err != nil {
		return nil, err
	}
	t.Cleanup(c.Close)
	return &Client{c, t}, nil
}

// Ask sends an event and returns its ack, as JSON.
func (c *Client) Ask(name string, args ...any) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Deadline)
	defer cancel()
	ack, err := c.Call(ctx, name, args...)
	if err != nil {
		c.t.Fatalf("%s: %v", name, err)
	}
	return string(ack)
}

// Hears waits for the next event of that name and returns its payload, as JSON.
func (c *Client) Hears(name string) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Deadline)
	defer cancel()
	got, err := c.Wait(ctx, name)
	if err != nil {
		c.t.Fatalf("%s was not heard: %v", name, err)
	}
	return string(got)
}

// Ended waits until the server has put the client out.
func (c *Client) Ended() {
	c.t.Helper()
	select {
	case <-c.Done():
	case <-time.After(Deadline):
		c.t.Fatal("the client was not disconnected")
	}
}
