//go:build linux

package target

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"rolecall/bench/backing"
	"rolecall/bench/process"
)

// Server is a running server: one process of it, or several that serve the same people, and what they are configured with.
type Server struct {
	Name  Name
	Nodes []*Process

	postgres, redis *backing.Server // nil where there is none
}

// Options say how a server is started.
type Options struct {
	// Metrics has the product serve its metrics, see Process.Metric.
	Metrics bool
}

// Start starts a server on free ports of 127.0.0.1 and waits until it takes connections.
func (w *Workshop) Start(ctx context.Context, name Name, o Options) (*Server, error) {
	s := &Server{Name: name}
	if err := s.start(ctx, w, o); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", name, err), s.Stop())
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, w *Workshop, o Options) (err error) {
	var settings []string
	if s.Name.onPostgres() {
		if s.postgres, err = backing.Postgres(ctx); err != nil {
			return err
		}
		settings = append(settings, "ROLECALL_DATABASE_URL="+s.postgres.URL)
	}
	if s.Name.onRedis() {
		if s.redis, err = backing.Redis(ctx); err != nil {
			return err
		}
		settings = append(settings, "ROLECALL_REDIS_URL="+s.redis.URL)
	}
	for range s.Name.nodes() {
		node, err := w.startProcess(ctx, s.Name, settings, o)
		if err != nil {
			return err
		}
		s.Nodes = append(s.Nodes, node)
	}
	if s.redis != nil {
		return acquaint(ctx)
	}
	return nil
}

// acquaint gives a node the time that it takes to be certain of who else there is, or that nobody is, which is its lease and a
// beat.
func acquaint(ctx context.Context) error {
	timer := time.NewTimer(6 * time.Second)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Addr is where its first process listens.
func (s *Server) Addr() netip.AddrPort { return s.Nodes[0].Addr }

// PID is its first process.
func (s *Server) PID() int { return s.Nodes[0].PID }

// CPU is the processor time that its processes have used so far, together.
func (s *Server) CPU() (total time.Duration, err error) {
	for _, node := range s.Nodes {
		used, err := process.CPU(node.PID)
		if err != nil {
			return 0, err
		}
		total += used
	}
	return total, nil
}

// Backing is the processor time that PostgreSQL and Redis have used so far for the product; 0 where they are not there.
type Backing struct{ Postgres, Redis time.Duration }

// Backing tells what the servers that it is configured with have used so far.
func (s *Server) Backing() (used Backing, err error) {
	if s.postgres != nil {
		if used.Postgres, err = s.postgres.CPU(); err != nil {
			return used, err
		}
	}
	if s.redis != nil {
		used.Redis, err = s.redis.CPU()
	}
	return used, err
}

// Alive returns nil while all its processes run, and how one of them ended after that.
func (s *Server) Alive() error {
	for _, node := range s.Nodes {
		if err := node.alive(); err != nil {
			return fmt.Errorf("%s has ended: %w", s.Name, err)
		}
	}
	return nil
}

// Stop ends the server, in an orderly way if it can do so in time, and what it was configured with, and removes its data.
func (s *Server) Stop() error {
	var failed error
	for _, node := range s.Nodes {
		node.stop()
		failed = errors.Join(failed, os.RemoveAll(node.data))
	}
	for _, behind := range []*backing.Server{s.redis, s.postgres} {
		if behind != nil {
			failed = errors.Join(failed, behind.Stop())
		}
	}
	return failed
}
