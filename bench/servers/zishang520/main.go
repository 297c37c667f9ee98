// Command zishang520 is the Go library github.com/zishang520/socket.io as it comes, with its own defaults, and with the
// handlers of bench/servers/node/handlers.mjs.
package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"rolecall/bench/servers/serve"
	"rolecall/internal/auth"
	"rolecall/internal/roles"
)

func main() { serve.Main(newHandler) }

func newHandler() (http.Handler, error) {
	verifier, err := serve.NewVerifier()
	if err != nil {
		return nil, err
	}
	io := socket.NewServer(nil, nil)
	io.Use(func(s *socket.Socket, next func(*socket.ExtendedError)) {
		token, _ := s.Handshake().Auth["token"].(string)
		who, err := verifier.Verify(context.Background(), token)
		if err != nil {
			next(socket.NewExtendedError("Invalid token", nil))
			return
		}
		s.SetData(who)
		for _, room := range who.Rooms() {
			s.Join(socket.Room(room))
		}
		next(nil)
	})
	if err := io.On("connection", func(args ...any) { handle(io, args[0].(*socket.Socket)) }); err != nil {
		return nil, fmt.Errorf("handle connections: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", io.ServeHandler(nil))
	return mux, nil
}

func handle(io *socket.Server, s *socket.Socket) {
	who, _ := s.Data().(auth.Identity)
	sent := 0
	on := func(event string, fn func(payload any) map[string]any) {
		_ = s.On(event, func(args ...any) { // On reports no errors
			answer := fn(args[0])
			answer["status"] = "ok"
			if ack, ok := args[len(args)-1].(socket.Ack); ok {
				ack([]any{answer}, nil)
			}
		})
	}
	on("room:join", func(payload any) map[string]any {
		roomID, _ := payload.(string)
		s.Join(socket.Room(roomID))
		return map[string]any{"roomId": roomID}
	})
	on("chat:message", func(payload any) map[string]any {
		message, _ := payload.(map[string]any)
		roomID, _ := message["roomId"].(string)
		sent++
		id, timestamp := fmt.Sprint(s.Id(), "-", sent), time.Now().UnixMilli()
		_ = io.To(socket.Room(roomID)).Emit("chat:message", map[string]any{
			"id": id, "roomId": roomID, "userId": who.UserID, "username": who.Username, "role": who.Role,
			"text": message["text"], "timestamp": timestamp, "readBy": []string{},
		}) // a reference does not look further
		return map[string]any{"messageId": id, "roomId": roomID, "timestamp": timestamp}
	})
	on("tracking:update", func(payload any) map[string]any {
		position, _ := payload.(map[string]any)
		position["driverId"], position["companyId"] = who.UserID, who.CompanyID
		_ = io.To(socket.Room(roles.FleetRoom(who.CompanyID)), socket.Room(roles.AllFleetsRoom())).
			Emit("tracking:positions", map[string]any{"at": time.Now().UnixMilli(), "positions": []any{position}})
		return map[string]any{"accepted": 1, "rejected": []any{}}
	})
}
