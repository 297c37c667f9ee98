// Package serve is what the servers in Go that are measured beside the product have in common: where they listen, and
// whom they believe. The environment says both, as package target sets it.
package serve

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"

	"rolecall/internal/auth"
)

// Main is the whole of a server's main function: it makes the handler and serves it on BENCH_PORT of 127.0.0.1 until the
// process is ended. Where that goes wrong it says so on standard error, and exits with 1.
func Main(newHandler func() (http.Handler, error)) {
	fmt.Fprintln(os.Stderr, serve(newHandler)) // it returns with an error alone
	os.Exit(1)
}

func serve(newHandler func() (http.Handler, error)) error {
	handler, err := newHandler()
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:"+os.Getenv("BENCH_PORT"))
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	return fmt.Errorf("serve: %w", http.Serve(listener, handler)) //nolint:gosec // only the load generator connects
}

// NewVerifier returns what checks the tokens of a run, signed with BENCH_SECRET.
func NewVerifier() (*auth.Verifier, error) {
	return auth.NewVerifier(context.Background(), auth.Options{Secret: []byte(os.Getenv("BENCH_SECRET"))})
}
