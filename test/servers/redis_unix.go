//go:build unix

package servers

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"rolecall/test/servers/launch"
)

const (
	// redisPatience is how long the server may take to come up.
	redisPatience = 30 * time.Second
	// redisAttempts is how often a port is chosen: somebody else may take it before the server does.
	redisAttempts = 5
)

// Redis is a Redis server of a test's own, that keeps nothing.
type Redis struct {
	// URL leads to it. It stays the same when the server is started again.
	URL string
	// Address is its host:port.
	Address string

	t        testing.TB
	folder   string
	settings []string
	running  *exec.Cmd
}

// StartRedis starts a server until the end of t, with more settings, as in the server's command line, where a test wants any.
func StartRedis(t testing.TB, settings ...string) *Redis {
	t.Helper()
	r := &Redis{t: t, folder: t.TempDir(), settings: settings}
	t.Cleanup(r.Kill)
	var err error
	for range redisAttempts {
		r.choosePort()
		if err = r.start(); err == nil {
			return r
		}
		r.Kill()
	}
	t.Fatalf("the Redis server did not come up: %v\n%s", err, r.Log())
	return nil
}

// SharedRedis returns the URL of a server that all tests share which run at the time, and that nobody breaks. What a test's
// programs have there they tell apart by a prefix of its own.
func SharedRedis(t testing.TB) string {
	t.Helper()
	at := func(url string) *Redis { return &Redis{t: t, URL: url, Address: strings.TrimPrefix(url, "redis://")} }
	return shared(t, "redis", func(url string) error { return at(url).pong() }, func(users string) string {
		data, err := os.MkdirTemp("", "rolecall-redis-")
		if err != nil {
			t.Fatal(err)
		}
		r := &Redis{t: t, folder: data}
		for range redisAttempts {
			r.choosePort()
			supervise(t, users, data, r.command(), func(*exec.Cmd) {})
			if err = r.awaitAnswer(); err == nil {
				return r.URL
			}
		}
		t.Fatalf("the Redis server did not come up: %v\n%s", err, r.Log())
		return ""
	})
}

func (r *Redis) choosePort() {
	r.t.Helper()
	r.Address = freeAddress(r.t)
	r.URL = "redis://" + r.Address
}

// Start starts the server again, empty, on the same address.
func (r *Redis) Start() {
	r.t.Helper()
	if err := r.start(); err != nil {
		r.t.Fatalf("the Redis server did not come up again: %v\n%s", err, r.Log())
	}
}

func (r *Redis) start() error {
	r.t.Helper()
	arguments := r.command()
	r.running = exec.Command(arguments[0], arguments[1:]...)
	if err := r.running.Start(); err != nil {
		r.t.Fatal(err)
	}
	return r.awaitAnswer()
}

// command is how the server is started.
func (r *Redis) command() []string {
	r.t.Helper()
	_, port, err := net.SplitHostPort(r.Address)
	if err != nil {
		r.t.Fatal(err)
	}
	return append([]string{
		installed(r.t, launch.RedisProgram), "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", r.folder,
		"--logfile", filepath.Join(r.folder, "server.log"), "--daemonize", "no",
	}, r.settings...)
}

func (r *Redis) awaitAnswer() error {
	for deadline := time.Now().Add(redisPatience); ; <-time.After(10 * time.Millisecond) {
		err := r.pong()
		if err == nil || time.Now().After(deadline) || strings.Contains(r.Log(), "Address already in use") {
			return err
		}
	}
}

// pong fails where no Redis answers.
func (r *Redis) pong() error {
	answer, err := r.ask("PING")
	if err == nil && (strings.HasPrefix(answer, "+PONG") || strings.HasPrefix(answer, "-NOAUTH")) {
		return nil
	}
	return fmt.Errorf("%q: %w", answer, err)
}

// Ask sends a command of words without blanks and returns the first line of the answer, or the text of a long one.
func (r *Redis) Ask(command string) string {
	r.t.Helper()
	answer, err := r.ask(command)
	if err != nil {
		r.t.Fatalf("%s: %v", command, err)
	}
	return answer
}

func (r *Redis) ask(command string) (string, error) {
	conn, err := net.DialTimeout("tcp", r.Address, redisPatience)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(redisPatience)); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintf(conn, "%s\r\n", command); err != nil {
		return "", err
	}
	reader := bufio.NewReader(conn)
	line, err := reader.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimSpace(line)
	length, isLong := strings.CutPrefix(line, "$")
	if !isLong {
		return line, nil
	}
	n, err := strconv.Atoi(length)
	if err != nil || n < 0 {
		return line, err
	}
	text := make([]byte, n)
	for at := 0; at < n; {
		read, err := reader.Read(text[at:])
		if err != nil {
			return "", err
		}
		at += read
	}
	return string(text), nil
}

// Kill ends the server at once; its connections end too.
func (r *Redis) Kill() {
	if r.running == nil {
		return
	}
	_ = r.running.Process.Kill() // it may have ended by itself
	_ = r.running.Wait()
	r.running = nil
}

// Freeze stops the server with all connections open, until Thaw.
func (r *Redis) Freeze() { r.signal(syscall.SIGSTOP) }

// Thaw lets a frozen server go on.
func (r *Redis) Thaw() { r.signal(syscall.SIGCONT) }

func (r *Redis) signal(signal syscall.Signal) {
	r.t.Helper()
	if err := r.running.Process.Signal(signal); err != nil {
		r.t.Fatal(err)
	}
}

// Log is what the server has logged.
func (r *Redis) Log() string {
	text, _ := os.ReadFile(filepath.Join(r.folder, "server.log"))
	return string(text)
}
