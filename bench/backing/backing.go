//go:build linux

// Package backing starts the servers that the product is measured on: PostgreSQL, with commits that are flushed to the disk, and
// Redis. Each has a free port and throw-away data.
package backing

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"rolecall/bench/process"
	"rolecall/test/servers/launch"
)

const (
	startTimeout = 30 * time.Second
	stopTimeout  = 10 * time.Second
)

// Server is a running server.
type Server struct {
	// URL leads to it: of PostgreSQL, to an empty database.
	URL string

	name    string
	folder  string
	process *exec.Cmd
	ended   chan struct{} // closed when the process has ended
	// stop is the signal upon which the server ends in order, and soon.
	stop syscall.Signal
}

// Postgres starts a PostgreSQL server.
func Postgres(ctx context.Context) (*Server, error) {
	programs, err := launch.PostgresPrograms(ctx)
	if err != nil {
		return nil, err
	}
	s := &Server{name: "PostgreSQL", stop: syscall.SIGINT}
	err = s.launch(ctx, func(host, port string) (*exec.Cmd, error) {
		secret := rand.Text()
		if err := launch.InitPostgres(ctx, programs, s.folder, secret); err != nil {
			return nil, err
		}
		s.URL = fmt.Sprintf("postgres://%s:%s@%s/postgres?sslmode=disable", launch.PostgresUser, secret, net.JoinHostPort(host, port))
		command := exec.CommandContext(ctx, filepath.Join(programs, "postgres"), //nolint:gosec // as installed
			"-D", filepath.Join(s.folder, "data"), "-p", port, "-c", "listen_addresses="+host, "-c", "unix_socket_directories=",
			"-c", "shared_buffers=256MB", "-c", "max_wal_size=4GB", "-c", "log_min_messages=fatal")
		return command, launch.As(launch.PostgresUser, command)
	}, s.asksPostgres)
	return s, err
}

func (s *Server) asksPostgres(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.URL)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// Redis starts a Redis server that keeps nothing on disk.
func Redis(ctx context.Context) (*Server, error) {
	program, err := launch.RedisProgram(ctx)
	if err != nil {
		return nil, err
	}
	s := &Server{name: "Redis", stop: syscall.SIGTERM}
	address := ""
	err = s.launch(ctx, func(host, port string) (*exec.Cmd, error) {
		address = net.JoinHostPort(host, port)
		s.URL = "redis://" + address
		return exec.CommandContext(ctx, program, "--port", port, "--bind", host, "--save", "", "--appendonly", "no", //nolint:gosec // as installed
			"--dir", s.folder, "--daemonize", "no", "--logfile", filepath.Join(s.folder, "server.log")), nil
	}, func(ctx context.Context) error {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return conn.Close()
	})
	return s, err
}

// launch starts a server on a free address and waits until it answers. Where it fails nothing is left of it.
func (s *Server) launch(ctx context.Context, command func(host, port string) (*exec.Cmd, error), answers func(ctx context.Context) error) error {
	folder, err := os.MkdirTemp("", "rolecall-bench-backing-")
	if err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	s.folder, s.ended = folder, make(chan struct{})
	address, err := launch.FreeAddress(ctx)
	if err != nil {
		return errors.Join(err, os.RemoveAll(folder))
	}
	host, port, _ := net.SplitHostPort(address) // it is one
	if s.process, err = command(host, port); err == nil {
		s.process.Dir = os.TempDir()
		err = s.process.Start()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("start %s: %w", s.name, err), os.RemoveAll(folder))
	}
	go func() {
		defer close(s.ended)
		_ = s.process.Wait() // how it ended is in process.ProcessState
	}()
	if err := s.await(ctx, answers); err != nil {
		return errors.Join(fmt.Errorf("start %s: %w", s.name, err), s.Stop())
	}
	return nil
}

func (s *Server) await(ctx context.Context, answers func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		err := answers(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-s.ended:
			return fmt.Errorf("it ended: %s", s.process.ProcessState)
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w", err)
		case <-again.C:
		}
	}
}

// CPU is the processor time that the server has used so far, in all its processes.
func (s *Server) CPU() (time.Duration, error) { return process.FamilyCPU(s.process.Process.Pid) }

// Stop ends the server and removes its data.
func (s *Server) Stop() error {
	_ = s.process.Process.Signal(s.stop) // it may have ended
	select {
	case <-s.ended:
	case <-time.After(stopTimeout):
		_ = s.process.Process.Kill() // as above
		<-s.ended
	}
	if err := os.RemoveAll(s.folder); err != nil {
		return fmt.Errorf("remove data: %w", err)
	}
	return nil
}
