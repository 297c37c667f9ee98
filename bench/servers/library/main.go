// Command library is the Go library for Socket.IO as it comes, with its own defaults, and with the handlers of
// bench/servers/node/handlers.mjs.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"rolecall/internal/auth"
	"rolecall/internal/roles"
)

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve() error {
	verifier, err := auth.NewVerifier(context.Background(), auth.Options{Secret: []byte(os.Getenv("BENCH_SECRET"))})
	if err != nil {
		return err
	}
	io := socket.NewServer(nil, nil)
	io.Use(func(s *socket.Socket, next func(*socket.ExtendedError)) {
		token, _ := s.Handshake().Auth["token"].(string)
		who, err := verifier.Verify(token)
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
		return fmt.Errorf("handle connections: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", io.ServeHandler(nil))
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:"+os.Getenv("BENCH_PORT"))
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	return fmt.Errorf("serve: %w", http.Serve(listener, mux)) //nolint:gosec // only the load generator connects
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
		s.Join(socket.Room(roles.ChatRoom(roomID)))
		return map[string]any{"roomId": roomID}
	})
	on("chat:message", func(payload any) map[string]any {
		message, _ := payload.(map[string]any)
		roomID, _ := message["roomId"].(string)
		sent++
		id, timestamp := fmt.Sprint(s.Id(), "-", sent), time.Now().UnixMilli()
		_ = io.To(socket.Room(roles.ChatRoom(roomID))).Emit("chat:message", map[string]any{
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
