package sioclient

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// assembly is a binary packet some of whose attachments are still to come.
type assembly struct {
	packet      packet
	attachments [][]byte
	size        int64
}

// read takes packets until the connection ends, and records why it did.
func (c *Client) read() {
	ctx, cancel := context.WithCancelCause(context.Background())
	patience := c.engine.PingInterval + c.engine.PingTimeout
	watchdog := time.AfterFunc(patience, func() { cancel(ErrPingTimeout) })
	err := c.readPackets(ctx, func() { watchdog.Reset(patience) })
	watchdog.Stop()
	switch {
	case c.closing.Load():
		err = ErrClosed
	case context.Cause(ctx) != nil:
		err = context.Cause(ctx)
	}
	cancel(nil)
	c.engine.Abort()
	c.err = err
	close(c.done)
	c.inbox.end()
}

func (c *Client) readPackets(ctx context.Context, alive func()) error {
	var partial *assembly
	for {
		text, binary, err := c.engine.Receive(ctx)
		if err != nil {
			return err
		}
		alive()
		switch {
		case binary != nil:
			partial, err = c.attach(partial, binary)
		case text == "":
			err = fmt.Errorf("%w: empty frame", ErrProtocol)
		case text[0] == engineMessage && partial != nil:
			err = fmt.Errorf("%w: packet in place of an attachment", ErrProtocol)
		case text[0] == engineMessage:
			partial, err = c.message(text[1:])
		default:
			err = c.control(ctx, text)
		}
		if err != nil {
			return err
		}
	}
}

// control handles Engine.IO's own packets.
func (c *Client) control(ctx context.Context, text string) error {
	switch text[0] {
	case enginePing:
		ctx, cancel := context.WithTimeout(ctx, writeTimeout)
		defer cancel()
		return c.SendRaw(ctx, string(enginePong)+text[1:])
	case engineClose:
		return fmt.Errorf("%w: session closed", ErrServerDisconnect)
	case enginePong, engineNoop:
		return nil
	default:
		return fmt.Errorf("%w: unexpected packet type %q", ErrProtocol, text[0])
	}
}

// message handles a Socket.IO packet; it returns an assembly where attachments are to follow.
func (c *Client) message(text string) (*assembly, error) {
	p, err := parsePacket(text)
	if err != nil {
		return nil, err
	}
	if p.attachments > 0 {
		return &assembly{packet: p}, nil
	}
	return nil, c.deliver(p, nil)
}

func (c *Client) attach(partial *assembly, data []byte) (*assembly, error) {
	if partial == nil {
		return nil, fmt.Errorf("%w: attachment without its packet", ErrProtocol)
	}
	partial.attachments = append(partial.attachments, data)
	partial.size += int64(len(data))
	if partial.size > c.maxBinary {
		return nil, ErrOverflow
	}
	if len(partial.attachments) < partial.packet.attachments {
		return partial, nil
	}
	return nil, c.deliver(partial.packet, partial.attachments)
}

// deliver acts on a complete packet. Packets of other namespaces, which only SendRaw can have
// connected, are passed over.
func (c *Client) deliver(p packet, attachments [][]byte) error {
	if p.namespace != c.namespace {
		return nil
	}
	switch p.kind {
	case packetConnect:
		return c.deliverConnect(p)
	case packetConnectError:
		return connectError(p.data)
	case packetDisconnect:
		return ErrServerDisconnect
	case packetEvent, packetBinaryEvent:
		name, args, err := eventArguments(p.data)
		if err != nil {
			return err
		}
		event := Event{Name: name, Args: args, Attachments: attachments}
		if c.observe != nil {
			c.observe(event)
		}
		return c.inbox.put(event)
	default: // acknowledgements
		return c.deliverAck(p)
	}
}

func (c *Client) deliverConnect(p packet) error {
	var reply struct { // looked at for its form alone
		SID string `json:"sid"`
	}
	if err := json.Unmarshal(p.data, &reply); err != nil {
		return fmt.Errorf("%w: CONNECT reply: %w", ErrProtocol, err)
	}
	select {
	case <-c.connected:
		return fmt.Errorf("%w: second CONNECT reply", ErrProtocol)
	default:
	}
	close(c.connected)
	return nil
}

func connectError(data json.RawMessage) error {
	var refusal struct {
		Message string          `json:"message"`
		Data    json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(data, &refusal); err != nil {
		return fmt.Errorf("%w: CONNECT_ERROR: %w", ErrProtocol, err)
	}
	var details struct {
		Code string `json:"code"`
	}
	// Data is the server's own affair: where it is no object, there is no code.
	if err := json.Unmarshal(refusal.Data, &details); err != nil {
		details.Code = ""
	}
	return &ConnectError{Message: refusal.Message, Code: details.Code, Data: refusal.Data}
}

func (c *Client) deliverAck(p packet) error {
	if p.id == nil {
		return fmt.Errorf("%w: acknowledgement without id", ErrProtocol)
	}
	args, err := ackArguments(p.data)
	if err != nil {
		return err
	}
	c.mu.Lock()
	answer := c.acks[*p.id]
	delete(c.acks, *p.id) // a second acknowledgement finds nobody
	c.mu.Unlock()
	if answer != nil {
		answer <- args
	}
	return nil
}
