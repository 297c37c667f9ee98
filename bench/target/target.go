//go:build linux

// Package target builds and starts the servers that are measured.
package target

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
	// RolecallPostgres is the product on a PostgreSQL database.
	RolecallPostgres Name = "rolecall-postgres"
	// RolecallShared is one node of the product with PostgreSQL and Redis configured, and nobody else there.
	RolecallShared Name = "rolecall-shared"
	// RolecallPair is two of those nodes.
	RolecallPair Name = "rolecall-pair"
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
	return []Name{
		Rolecall, RolecallZishang520, RolecallPostgres, RolecallShared, RolecallPair,
		Engine, Node, Bun, Zishang520, HubQueued, HubDirect,
	}
}

// IsHub reports whether clients of the server speak WebSocket alone.
func (n Name) IsHub() bool { return n == HubQueued || n == HubDirect }

// isProduct reports whether the server is the product, on whichever engine and database.
func (n Name) isProduct() bool { return n.program() == Rolecall }

// onPostgres and onRedis report what the product is configured with; nodes is how many processes it is.
func (n Name) onPostgres() bool { return n == RolecallPostgres || n.onRedis() }
func (n Name) onRedis() bool    { return n == RolecallShared || n == RolecallPair }

func (n Name) nodes() int {
	if n == RolecallPair {
		return 2
	}
	return 1
}

// program is which of the built programs the server is.
func (n Name) program() Name {
	switch n {
	case RolecallZishang520, RolecallPostgres, RolecallShared, RolecallPair:
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
