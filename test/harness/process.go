package harness

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"rolecall/internal/config"
)

// Process is the server as a process of its own, which can be killed.
type Process struct {
	// URL is the server's address.
	URL string

	t       testing.TB
	command *exec.Cmd
	logs    sync.WaitGroup
	lines   atomic.Int64
}

// Lines is how many lines the process has written to its log.
func (p *Process) Lines() int { return int(p.lines.Load()) }

// Build compiles the server into the test's folder and returns the path of the binary.
func Build(t testing.TB) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "server")
	command := exec.CommandContext(context.Background(), "go", "build", "-o", binary, "rolecall/cmd/server")
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, output)
	}
	return binary
}

// Launch starts the binary on an address and a data folder, with rates that nobody meets and settings of the test's own, as
// variables of the environment, and waits until it serves.
func Launch(t testing.TB, binary, addr, dataDir string, own ...string) *Process {
	t.Helper()
	settings := []string{"ROLECALL_JWT_SECRET=" + Secret, "ROLECALL_HANDSHAKES_PER_IP=off"}
	for _, kind := range []string{"CHAT", "TYPING", "JOIN", "LOCATION", "BACKLOG", "READ", "SEARCH", "OTHER", "CONNECT", "FAILURE", "SHED"} {
		settings = append(settings, fmt.Sprintf("ROLECALL_RATE_%s=1000000/1s:1000000", kind))
	}
	return LaunchWith(t, binary, addr, dataDir, append(settings, own...)...)
}

// LaunchWith is Launch with the test's own settings alone.
func LaunchWith(t testing.TB, binary, addr, dataDir string, settings ...string) *Process {
	t.Helper()
	p := &Process{t: t}
	p.command = exec.CommandContext(context.Background(), binary, "-addr", addr, "-data-dir", dataDir, "-log-format", "json")
	p.command.Env = append(os.Environ(), settings...)
	if url := databaseURL(t, dataDir); url != "" {
		p.command.Env = append(p.command.Env, config.Variable("database-url")+"="+url)
	}
	logs, err := p.command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.command.Start(); err != nil {
		t.Fatalf("launch: %v", err)
	}
	serving := make(chan string, 1)
	p.logs.Go(func() { p.follow(logs, serving) })
	select {
	case url, ok := <-serving:
		if !ok {
			t.Fatal("the server ended before it served")
		}
		p.URL = url
	case <-time.After(Deadline):
		p.Kill()
		t.Fatal("the server did not come up")
	}
	return p
}

// follow reads the log until the process ends and announces the address in it.
func (p *Process) follow(logs io.Reader, serving chan<- string) {
	defer close(serving)
	lines := bufio.NewScanner(logs)
	for lines.Scan() {
		p.lines.Add(1)
		var line struct{ Level, Msg, URL string }
		if json.Unmarshal(lines.Bytes(), &line) != nil || line.Level == "ERROR" {
			p.t.Logf("server: %s", lines.Text())
		}
		if line.Msg == "serving" {
			serving <- line.URL
		}
	}
}

// PID is the process's number.
func (p *Process) PID() int { return p.command.Process.Pid }

// Kill ends the process at once, as a power cut would.
func (p *Process) Kill() {
	_ = p.command.Process.Kill()
	p.logs.Wait()
	_ = p.command.Wait() // "signal: killed" is what was asked for
}

// Terminate asks the process to stop and returns its exit code.
func (p *Process) Terminate() int {
	p.Signal(syscall.SIGTERM)
	return p.Wait()
}

// Signal sends the process a signal.
func (p *Process) Signal(signal os.Signal) { _ = p.command.Process.Signal(signal) } // it may have ended

// Wait waits for the end of the process and returns its exit code, -1 where a signal has ended it.
func (p *Process) Wait() int {
	p.logs.Wait()
	_ = p.command.Wait()
	return p.command.ProcessState.ExitCode()
}
