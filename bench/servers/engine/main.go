// Command engine is the product's realtime layer alone, with the handlers of bench/servers/node/handlers.mjs: nothing
// is stored, nobody is greeted, so that like is compared with like.
package main

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"rolecall/bench/servers/serve"
	"rolecall/internal/auth"
	"rolecall/internal/realtime"
	"rolecall/internal/realtime/native"
	"rolecall/internal/roles"
)

func main() { serve.Main(newHandler) }

func newHandler() (http.Handler, error) {
	verifier, err := serve.NewVerifier()
	if err != nil {
		return nil, err
	}
	server := native.New(realtime.Options{})
	server.Namespace("/", &handlers{verifier: verifier, emitter: server.Emitter("/")})
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", server)
	return mux, nil
}

type handlers struct {
	verifier *auth.Verifier
	emitter  realtime.Emitter
	sent     atomic.Int64
}

// Authenticate lets in whoever has a token.
func (h *handlers) Authenticate(ctx context.Context, conn realtime.Socket, hs realtime.Handshake) error {
	var sent struct {
		Token string `json:"token"`
	}
	if err := json.Unmarshal(hs.Auth, &sent); err != nil {
		return &realtime.Refusal{Message: "Invalid token"}
	}
	who, err := h.verifier.Verify(ctx, sent.Token)
	if err != nil {
		return &realtime.Refusal{Message: "Invalid token"}
	}
	conn.SetData(who)
	conn.Join(roles.Names(who.Rooms())...)
	return nil
}

// Connected does nothing.
func (h *handlers) Connected(realtime.Socket) {}

// Disconnected does nothing.
func (h *handlers) Disconnected(realtime.Socket, string) {}

// Event relays.
func (h *handlers) Event(conn realtime.Socket, event realtime.Event) {
	who, _ := conn.Data().(auth.Identity)
	answer := map[string]any{"status": "error"}
	if len(event.Args) > 0 {
		switch event.Name {
		case "room:join":
			answer = h.join(conn, event.Args[0])
		case "chat:message":
			answer = h.message(who, event.Args[0])
		case "tracking:update":
			answer = h.update(who, event.Args[0])
		}
	}
	if event.Ack != nil {
		event.Ack(answer)
	}
}

func (h *handlers) join(conn realtime.Socket, payload json.RawMessage) map[string]any {
	var roomID string
	if err := json.Unmarshal(payload, &roomID); err != nil {
		return map[string]any{"status": "error", "error": err.Error()}
	}
	conn.Join(roomID)
	return map[string]any{"status": "ok", "roomId": roomID}
}

func (h *handlers) message(who auth.Identity, payload json.RawMessage) map[string]any {
	var message struct {
		RoomID string          `json:"roomId"`
		Text   json.RawMessage `json:"text"`
	}
	if err := json.Unmarshal(payload, &message); err != nil {
		return map[string]any{"status": "error", "error": err.Error()}
	}
	id, timestamp := strconv.FormatInt(h.sent.Add(1), 10), time.Now().UnixMilli()
	h.emitter.Emit("chat:message", map[string]any{
		"id": id, "roomId": message.RoomID, "userId": who.UserID, "username": who.Username, "role": who.Role,
		"text": message.Text, "timestamp": timestamp, "readBy": []string{},
	}, []string{message.RoomID}, nil)
	return map[string]any{"status": "ok", "messageId": id, "roomId": message.RoomID, "timestamp": timestamp}
}

func (h *handlers) update(who auth.Identity, payload json.RawMessage) map[string]any {
	var position map[string]json.RawMessage
	if err := json.Unmarshal(payload, &position); err != nil {
		return map[string]any{"status": "error", "error": err.Error()}
	}
	position["driverId"] = json.RawMessage(strconv.Quote(who.UserID)) // ids are letters, digits, _ and -
	position["companyId"] = json.RawMessage(strconv.Quote(who.CompanyID))
	h.emitter.Emit("tracking:positions", map[string]any{"at": time.Now().UnixMilli(), "positions": []any{position}},
		roles.Names([]roles.Room{roles.FleetRoom(who.CompanyID), roles.AllFleetsRoom()}), nil)
	return map[string]any{"status": "ok", "accepted": 1, "rejected": []any{}}
}
