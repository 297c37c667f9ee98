package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/pprof" // its handlers are served by the admin listener alone
	"time"

	"rolecall/internal/config"
)

// profilePatience is how much longer than a profile takes its answer may: profiles are asked for in seconds, by the client.
const profilePatience = 5 * time.Minute

// openAdmin binds the address for operators. It is open from before the first request until after the last, and nothing that
// it serves is served by the public listener.
func (p *Program) openAdmin(ctx context.Context) (life, error) {
	if p.config.AdminAddr == "" {
		return life{}, nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", p.config.AdminAddr)
	if err != nil {
		return life{}, fmt.Errorf("%s (--admin-addr): %w", config.Variable("admin-addr"), err)
	}
	p.lookInto = listener
	server := &http.Server{
		Handler: p.adminHandler(), ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: bodyTimeout, IdleTimeout: idleTimeout,
		WriteTimeout: profilePatience, MaxHeaderBytes: maxHeaderBytes, ErrorLog: log.New(serverLog{p.log}, "", 0),
	}
	return life{
		run: func(ctx context.Context) error {
			p.log.InfoContext(ctx, "admin listener", "url", p.AdminURL())
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serve: %w", err)
			}
			return nil
		},
		drain: func(context.Context) error { return server.Close() }, // a profile that is being taken holds up no stop
		close: func() error {
			if err := listener.Close(); !errors.Is(err, net.ErrClosed) {
				return err
			}
			return nil
		},
	}, nil
}

// AdminURL is the address of the listener for operators, "" where there is none.
func (p *Program) AdminURL() string {
	if p.lookInto == nil {
		return ""
	}
	return config.LocalURL(p.lookInto.Addr().String())
}

// adminHandler is what operators are served: nothing of it changes anything.
func (p *Program) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", p.metrics.Handler(p.log))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", hidden) // which may have a secret in it
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /{$}", adminIndex)
	return mux
}

func hidden(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "The command line is not shown", http.StatusForbidden)
}

func adminIndex(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "/metrics\n/debug/pprof/\n") // the reader may go away
}
