//go:build linux

// Package target builds and starts the servers that are measured.
package target

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// Secret signs and verifies the tokens of a run. Nothing outside this machine ever sees a server that believes it.
const Secret = "the-load-generator-and-the-servers-share-this"

const (
	startTimeout = 15 * time.Second
	stopTimeout  = 10 * time.Second
)

// Name is which server.
type Name string

// The servers.
const (
	// Rolecall is the product as it is.
	Rolecall Name = "rolecall"
	// RolecallZishang520 is the product on the engine that is the library of Zishang520.
	RolecallZishang520 Name = "rolecall-zishang520"
	// Engine is the product's realtime layer with the references' handlers.
	Engine Name = "engine"
	Node   Name = "node"
	Bun    Name = "bun"
	// Zishang520 is the Go library github.com/zishang520/socket.io with its own defaults.
	Zishang520 Name = "zishang520"
	// HubQueued and HubDirect are bare WebSocket hubs that differ in how they write.
	HubQueued Name = "hub-queued"
	HubDirect Name = "hub-direct"
)

// All lists the servers.
func All() []Name {
	return []Name{Rolecall, RolecallZishang520, Engine, Node, Bun, Zishang520, HubQueued, HubDirect}
}

// IsHub reports whether clients of the server speak WebSocket alone.
func (n Name) IsHub() bool { return n == HubQueued || n == HubDirect }

// isProduct reports whether the server is the product, on whichever engine.
func (n Name) isProduct() bool { return n == Rolecall || n == RolecallZishang520 }

// program is which of the built programs the server is.
func (n Name) program() Name {
	switch n {
	case RolecallZishang520:
		return Rolecall
	case HubDirect:
		return HubQueued
	default:
		return n
	}
}

// Workshop holds what has been built.
type Workshop struct {
	root string // of the module
	bin  string // folder of the built programs
}

// Build builds and installs what the servers need: Go programs into bin, npm packages into their folders below root.
func Build(ctx context.Context, root, bin string, servers []Name) (*Workshop, error) {
	w := &Workshop{root: root, bin: bin}
	programs := map[Name]string{Rolecall: "./cmd/server", Engine: "./bench/servers/engine",
		Zishang520: "./bench/servers/zishang520", HubQueued: "./bench/servers/hub"}
	for _, name := range servers {
		switch name = name.program(); name {
		case Rolecall, Engine, Zishang520, HubQueued:
			if err := w.run(ctx, root, "go", "build", "-o", filepath.Join(bin, string(name)), programs[name]); err != nil {
				return nil, err
			}
		case Node, Bun:
			folder := filepath.Join(root, "bench/servers", string(name))
			if newer(filepath.Join(folder, "node_modules/.package-lock.json"), filepath.Join(folder, "package-lock.json")) {
				continue
			}
			if err := w.run(ctx, folder, "npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"); err != nil {
				return nil, err
			}
		}
	}
	return w, nil
}

func (w *Workshop) run(ctx context.Context, folder, program string, arguments ...string) error {
	command := exec.CommandContext(ctx, program, arguments...) //nolint:gosec // names are ours
	command.Dir = folder
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %v: %w\n%s", program, arguments, err, output)
	}
	return nil
}

// newer reports whether both files exist and the first was changed last.
func newer(first, second string) bool {
	a, err := os.Stat(first)
	if err != nil {
		return false
	}
	b, err := os.Stat(second)
	return err == nil && a.ModTime().After(b.ModTime())
}

// BunProgram is where the npm package of Bun puts its program.
func (w *Workshop) BunProgram() string {
	return filepath.Join(w.root, "bench/servers/bun/node_modules/.bin/bun")
}

func (w *Workshop) command(ctx context.Context, name Name, port, data string) *exec.Cmd {
	switch name {
	case Node:
		return exec.CommandContext(ctx, "node", //nolint:gosec // the path is ours
			filepath.Join(w.root, "bench/servers/node/server.mjs"))
	case Bun:
		return exec.CommandContext(ctx, w.BunProgram(), //nolint:gosec // as above
			filepath.Join(w.root, "bench/servers/bun/server.mjs"))
	}
	var arguments []string
	if name.isProduct() {
		arguments = []string{"-addr", "127.0.0.1:" + port, "-data-dir", data, "-log-level", "error"}
	}
	if name == RolecallZishang520 {
		arguments = append(arguments, "-engine", "zishang520")
	}
	return exec.CommandContext(ctx, filepath.Join(w.bin, string(name.program())), arguments...) //nolint:gosec // as above
}

// Server is a running server.
type Server struct {
	Name Name
	Addr netip.AddrPort
	PID  int

	process *exec.Cmd
	data    string
	ended   chan struct{} // closed when the process has ended
}

// Start starts a server on a free port of 127.0.0.1 and waits until it takes connections.
func (w *Workshop) Start(ctx context.Context, name Name) (*Server, error) {
	addr, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	data, err := os.MkdirTemp("", "rolecall-bench-data-")
	if err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	port := fmt.Sprint(addr.Port())
	s := &Server{Name: name, Addr: addr, data: data, ended: make(chan struct{})}
	s.process = w.command(ctx, name, port, data)
	s.process.Env = slices.Concat(os.Environ(), environment(name, port))
	s.process.Stderr = os.Stderr
	if err := s.process.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", name, err), os.RemoveAll(data))
	}
	s.PID = s.process.Process.Pid
	go func() {
		defer close(s.ended)
		_ = s.process.Wait() // how it ended is in process.ProcessState
	}()
	if err := s.awaitListening(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", name, err), s.Stop())
	}
	return s, nil
}

// environment configures a server. The product's limits are raised out of the way: the references have none.
func environment(name Name, port string) []string {
	if !name.isProduct() {
		mode := "queued"
		if name == HubDirect {
			mode = "direct"
		}
		return []string{"BENCH_PORT=" + port, "BENCH_SECRET=" + Secret, "BENCH_MODE=" + mode, "NODE_ENV=production"}
	}
	set := []string{"ROLECALL_JWT_SECRET=" + Secret, "ROLECALL_HANDSHAKES_PER_IP=off", "ROLECALL_PACKETS_PER_CONNECTION=off", "ROLECALL_PACKETS_PER_USER=off"}
	for _, kind := range []string{"CHAT", "TYPING", "JOIN", "LOCATION", "READ", "OTHER", "CONNECT", "FAILURE"} {
		set = append(set, "ROLECALL_RATE_"+kind+"=1000000/1s:1000000")
	}
	return set
}

func freePort(ctx context.Context) (netip.AddrPort, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("find a free port: %w", err)
	}
	addr, err := netip.ParseAddrPort(listener.Addr().String())
	if err = errors.Join(err, listener.Close()); err != nil {
		return netip.AddrPort{}, fmt.Errorf("find a free port: %w", err)
	}
	return addr, nil
}

func (s *Server) awaitListening(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.Addr.String())
		if err == nil {
			return connection.Close()
		}
		select {
		case <-s.ended:
			return fmt.Errorf("it ended before it listened: %s", s.process.ProcessState)
		case <-ctx.Done():
			return fmt.Errorf("it does not listen: %w", err)
		case <-tick.C:
		}
	}
}

// Alive returns nil while the process runs, and how it ended after that.
func (s *Server) Alive() error {
	select {
	case <-s.ended:
		return fmt.Errorf("%s has ended: %s", s.Name, s.process.ProcessState)
	default:
		return nil
	}
}

// Stop ends the server, in an orderly way if it can do so in time, and removes its data.
func (s *Server) Stop() error {
	_ = s.process.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-s.ended:
	case <-time.After(stopTimeout):
		_ = s.process.Process.Kill() // as above
		<-s.ended
	}
	if err := os.RemoveAll(s.data); err != nil {
		return fmt.Errorf("remove data: %w", err)
	}
	return nil
}
