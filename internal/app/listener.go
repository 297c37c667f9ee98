package app

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"
)

const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 16 << 10
	// requestPatience is how long requests may take to finish when the server stops.
	requestPatience = 3 * time.Second
	// newcomerPatience is how long a connection that has sent no whole request yet may still do so when the server stops.
	newcomerPatience = 500 * time.Millisecond
)

// openListener binds the address, before there are data that somebody who got the address wrong would have to remove. The
// handler comes with the doors, before anything is served.
func (p *Program) openListener(ctx context.Context) (life, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", p.config.Addr)
	if err != nil {
		return life{}, listenError(p.config.Addr, err)
	}
	p.listener = listener
	p.waiting = newWaiting(maxUnasked, maxIdle)
	p.http = &http.Server{
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ConnState:         p.waiting.track,
		ErrorLog:          log.New(serverLog{p.log}, "", 0),
	}
	return life{run: p.serve, drain: p.stopServing, close: p.closeListener}, nil
}

// serve answers requests. Who comes before this node hears the others waits for that, but not long.
func (p *Program) serve(ctx context.Context) error {
	if p.redis != nil {
		p.redis.Await(ctx)
	}
	if err := p.http.Serve(p.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// stopServing lets requests under way finish for a while. Whoever has not sent a whole request or read the answer by then
// is cut off, which is no failure of the server's. Connections on which nothing was ever asked get less time.
func (p *Program) stopServing(ctx context.Context) error {
	patience, cancel := context.WithTimeout(ctx, requestPatience)
	defer cancel()
	cut := time.AfterFunc(newcomerPatience, p.waiting.unasked.cut)
	defer cut.Stop()
	err := p.http.Shutdown(patience)
	if errors.Is(err, context.DeadlineExceeded) {
		p.log.InfoContext(ctx, "unfinished requests cut off")
		err = p.http.Close()
	}
	return err
}

func (p *Program) closeListener() error {
	if err := p.listener.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
