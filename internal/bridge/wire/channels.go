// Package wire is the format in which servers of Socket.IO meet in Redis, as @socket.io/redis-adapter 8 and
// @socket.io/redis-emitter 5 speak it. It was read from lib/index.ts of version 8.3.0
// (https://github.com/socketio/socket.io-redis-adapter) and of version 5.1.0
// (https://github.com/socketio/socket.io-redis-emitter), and is held by bytes that those have written.
package wire

import "strings"

// Channels are the names of the channels of one namespace.
type Channels struct{ base, requests, responses string }

// ChannelsOf returns the channels of a namespace under the key that all servers have in common; by default it is
// "socket.io".
func ChannelsOf(key, namespace string) Channels {
	return Channels{
		base:      key + "#" + namespace + "#",
		requests:  key + "-request#" + namespace + "#",
		responses: key + "-response#" + namespace + "#",
	}
}

// Broadcasts is the pattern of the channels of broadcasts.
func (c Channels) Broadcasts() string { return c.base + "*" }

// Requests is the channel of requests. Who subscribes to it counts as a server.
func (c Channels) Requests() string { return c.requests }

// Responses is the channel of responses. Each server hears those to all.
func (c Channels) Responses() string { return c.responses }

// Broadcast is the channel of a broadcast to these rooms: where it is one, its own.
func (c Channels) Broadcast(rooms []string) string {
	if len(rooms) == 1 {
		return c.base + rooms[0] + "#"
	}
	return c.base
}

// RoomOf returns the room that the channel of a broadcast is of: "" for that of none or of several. It is not ok for any
// other channel.
func (c Channels) RoomOf(channel string) (room string, ok bool) {
	rest, ok := strings.CutPrefix(channel, c.base)
	if !ok || rest == "" {
		return "", ok
	}
	return strings.CutSuffix(rest, "#")
}
