// Command echoserver is a Socket.IO server made of an engine of internal/realtime alone, for tests that need more of it than the
// product's events do: attachments, acks that never come, and sockets that the server ends. It listens until SIGTERM and
// then ends with status 0.
//
//	/socket.io/    the endpoint, with the namespaces / and /custom
//	/connections   the number of open connections, as text
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"rolecall/internal/realtime"
	"rolecall/internal/realtime/native"
	"rolecall/internal/realtime/zishang520"
)

const (
	readHeaderTimeout = 10 * time.Second
	// stopTimeout is how long the clients that are connected at SIGTERM may take to go.
	stopTimeout = 10 * time.Second
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "echoserver:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends. Its log, JSON as the product's, says where: msg "serving", url.
func run(ctx context.Context, args []string, logs io.Writer) error {
	log := slog.New(slog.NewJSONHandler(logs, nil))
	options := realtime.Options{Logger: log}
	flags := flag.NewFlagSet("echoserver", flag.ContinueOnError)
	address := flags.String("addr", "127.0.0.1:0", "the `address` to listen on")
	engine := flags.String("engine", "native", "the `name` of the engine: native or zishang520")
	flags.DurationVar(&options.PingInterval, "ping-interval", 0, "from a pong to the next ping; 0 is the default")
	flags.DurationVar(&options.PingTimeout, "ping-timeout", 0, "how long a pong may take; 0 is the default")
	flags.IntVar(&options.CompressFrom, "compress-from", 0, "the size in `bytes` from which messages are compressed; 0 is never")
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("arguments: %w", err)
	}
	sockets, err := newEngine(*engine, options)
	if err != nil {
		return err
	}
	for _, name := range []string{"/", "/custom"} {
		sockets.Namespace(name, echo{log: log})
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", *address)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{Handler: handler(sockets), ReadHeaderTimeout: readHeaderTimeout}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	log.InfoContext(ctx, "serving", "url", "http://"+listener.Addr().String())
	select {
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	err = errors.Join(sockets.Drain(stopping), server.Shutdown(stopping))
	<-served
	return err
}

func newEngine(name string, options realtime.Options) (realtime.Engine, error) {
	switch name {
	case "native":
		return native.New(options), nil
	case "zishang520":
		return zishang520.New(options), nil
	default:
		return nil, fmt.Errorf("there is no engine %q", name)
	}
}

func handler(sockets realtime.Engine) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /connections", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, sockets.Connections()) // the reader may go away
	})
	mux.Handle("/", sockets) // which looks at the path itself
	return mux
}
