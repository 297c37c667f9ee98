//go:build unix

package servers

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"rolecall/test/servers/launch"
)

const (
	// patience is how long a server may take to come up, or go down.
	patience = 60 * time.Second
	// startAttempts is how often a port is chosen: somebody else may take it before the server does.
	startAttempts = 5
)

// Database returns the URL of a new and empty database on the shared PostgreSQL server. It is dropped at the end of t.
func Database(t testing.TB) string {
	t.Helper()
	return newDatabase(t, sharedPostgres(t))
}

// Copy returns the URL of a new database that is one which prepare has filled, until the end of t. What is filled alike has
// one name, letters and digits, and is filled once.
func Copy(t testing.TB, name string, prepare func(url string) error) string {
	t.Helper()
	server := sharedPostgres(t)
	template := "filled_" + name
	fill(t, server, template, prepare)
	copied := "test_" + strings.ToLower(rand.Text())
	administer(t, server, "CREATE DATABASE "+copied+" TEMPLATE "+template)
	t.Cleanup(func() { administer(t, server, "DROP DATABASE "+copied+" WITH (FORCE)") })
	return databaseOf(t, server, copied)
}

// fill makes the database of that name where there is none yet. It has its name once it is whole.
func fill(t testing.TB, server, name string, prepare func(url string) error) {
	t.Helper()
	defer unlock(t, flock(t, filepath.Join(shelf(t), "postgres-fill"), syscall.LOCK_EX))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	there := false
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&there); err != nil || there {
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	partly := "part_" + strings.ToLower(rand.Text())
	administer(t, server, "CREATE DATABASE "+partly+" TEMPLATE template0 ENCODING 'UTF8'")
	if err := prepare(databaseOf(t, server, partly)); err != nil {
		t.Fatalf("fill a database: %v", err)
	}
	// Nobody may be connected, and whoever has just gone may be for a moment yet.
	administer(t, server, "ALTER DATABASE "+partly+" WITH ALLOW_CONNECTIONS false")
	if _, err := conn.Exec(ctx, "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = $1", partly); err != nil {
		t.Fatal(err)
	}
	administer(t, server, "ALTER DATABASE "+partly+" RENAME TO "+name)
}

// newDatabase makes a database on the server at a URL, until the end of t.
func newDatabase(t testing.TB, server string) string {
	t.Helper()
	name := "test_" + strings.ToLower(rand.Text())
	administer(t, server, "CREATE DATABASE "+name+" TEMPLATE template0 ENCODING 'UTF8'")
	t.Cleanup(func() { administer(t, server, "DROP DATABASE "+name+" WITH (FORCE)") })
	return databaseOf(t, server, name)
}

// databaseOf is the URL of a database of a server.
func databaseOf(t testing.TB, server, name string) string {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

func administer(t testing.TB, server, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err == nil {
		defer func() { _ = conn.Close(ctx) }()
		_, err = conn.Exec(ctx, statement)
	}
	if err != nil {
		t.Errorf("%s: %v", statement, err)
	}
}

// sharedPostgres returns the URL of the shared server, which stays until the end of t at least.
func sharedPostgres(t testing.TB) string {
	t.Helper()
	return shared(t, "postgres", answers, func(users string) string {
		p := newPostgres(t)
		for range startAttempts {
			p.choosePort(t)
			if err := p.supervise(t, users); err == nil {
				return p.URL
			}
		}
		t.Fatalf("the PostgreSQL server did not come up:\n%s", p.log())
		return ""
	})
}

// supervise starts the server, and a script that stops it when nobody needs it any more.
func (p *Postgres) supervise(t testing.TB, users string) error {
	t.Helper()
	supervise(t, users, p.data, p.command(), func(command *exec.Cmd) { as(t, launch.PostgresUser, command) })
	return p.awaitAnswer()
}

// Postgres is a PostgreSQL server of a test's own, that can be stopped and broken.
type Postgres struct {
	// URL leads to the database postgres of the server, as its superuser. It stays the same when the server is started again.
	URL string

	t       testing.TB
	bin     string
	data    string
	secret  string
	port    string
	running *exec.Cmd
}

// StartPostgres starts a server until the end of t.
func StartPostgres(t testing.TB) *Postgres {
	t.Helper()
	p := newPostgres(t)
	t.Cleanup(func() {
		p.Kill()
		if err := os.RemoveAll(p.data); err != nil {
			t.Error(err)
		}
	})
	for range startAttempts {
		p.choosePort(t)
		if p.start() == nil {
			return p
		}
		p.Kill()
	}
	t.Fatalf("the PostgreSQL server did not come up:\n%s", p.log())
	return nil
}

// Database returns the URL of a new and empty database on the server.
func (p *Postgres) Database() string {
	p.t.Helper()
	name := "test_" + strings.ToLower(rand.Text())
	administer(p.t, p.URL, "CREATE DATABASE "+name+" TEMPLATE template0 ENCODING 'UTF8'")
	return strings.Replace(p.URL, "/postgres?", "/"+name+"?", 1)
}

// Start starts the server again, on the same data and address.
func (p *Postgres) Start() {
	p.t.Helper()
	if err := p.start(); err != nil {
		p.t.Fatalf("the PostgreSQL server did not come up again: %v\n%s", err, p.log())
	}
}

func (p *Postgres) start() error {
	p.t.Helper()
	arguments := p.command()
	p.running = exec.Command(arguments[0], arguments[1:]...) // ended by Stop or Kill
	p.running.Dir = os.TempDir()
	as(p.t, launch.PostgresUser, p.running)
	if err := p.running.Start(); err != nil {
		p.t.Fatal(err)
	}
	return p.awaitAnswer()
}

// Stop stops the server as an operator does: it ends all connections.
func (p *Postgres) Stop() { p.end(syscall.SIGINT) }

// Kill ends the server at once, as a power cut would.
func (p *Postgres) Kill() { p.end(syscall.SIGQUIT) }

func (p *Postgres) end(signal syscall.Signal) {
	p.t.Helper()
	if p.running == nil {
		return
	}
	_ = p.running.Process.Signal(syscall.SIGCONT)
	_ = p.running.Process.Signal(signal) // it may have ended by itself
	_ = p.running.Wait()
	p.running = nil
}

// answers fails where no server answers at a URL.
func answers(server string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

func (p *Postgres) awaitAnswer() error {
	deadline := time.Now().Add(patience)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		err := answers(p.URL)
		if err == nil || time.Now().After(deadline) || strings.Contains(p.log(), "could not create any TCP/IP sockets") {
			return err
		}
		<-again.C
	}
}

func (p *Postgres) log() string {
	text, _ := os.ReadFile(p.logFile())
	return string(text)
}

func (p *Postgres) logFile() string { return filepath.Join(p.data, "server.log") }

// choosePort takes a port that is free now.
func (p *Postgres) choosePort(t testing.TB) {
	t.Helper()
	_ = os.Remove(p.logFile()) // of an earlier attempt
	address := freeAddress(t)
	_, p.port, _ = net.SplitHostPort(address) // it is one
	p.URL = fmt.Sprintf("postgres://%s:%s@%s/postgres?sslmode=disable", launch.PostgresUser, p.secret, address)
}

// newPostgres finds the binaries, and makes the data folder of a server.
func newPostgres(t testing.TB) *Postgres {
	t.Helper()
	p := &Postgres{t: t, bin: installed(t, launch.PostgresPrograms), secret: rand.Text()}
	data, err := os.MkdirTemp("", "rolecall-postgres-")
	if err != nil {
		t.Fatal(err)
	}
	p.data = data
	if err := launch.InitPostgres(t.Context(), p.bin, data, p.secret); err != nil {
		t.Fatal(err)
	}
	return p
}

// command is how the server is started. It does not wait for the disk: what a test loses with the machine is no loss.
func (p *Postgres) command() []string {
	arguments := []string{filepath.Join(p.bin, "postgres"), "-D", filepath.Join(p.data, "data"), "-p", p.port}
	for _, setting := range []string{
		"listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "full_page_writes=off", "max_connections=600",
		"shared_buffers=64MB", "logging_collector=on", "log_directory=" + p.data, "log_filename=server.log", "log_min_messages=fatal",
	} {
		arguments = append(arguments, "-c", setting)
	}
	return arguments
}
