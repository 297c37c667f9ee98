//go:build unix

// Package launch has what is needed to start a PostgreSQL or a Redis server on this machine, of whatever is installed: for
// tests as for benchmarks, which are none.
package launch

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
)

const (
	// PostgresUser is who runs PostgreSQL where this process is root's, and the name of its superuser.
	PostgresUser   = "postgres"
	postgresOldest = 15
)

// Install makes sure that a shell command succeeds, by the Debian packages that it needs, as test/install.sh does it.
func Install(ctx context.Context, check string, packages ...string) error {
	_, file, _, _ := runtime.Caller(0)
	script := filepath.Join(filepath.Dir(file), "..", "..", "install.sh")
	return run(exec.CommandContext(ctx, "bash", append([]string{script, check}, packages...)...), "install")
}

// run runs a command, and fails with what it has said.
func run(command *exec.Cmd, what string) error {
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", what, err, bytes.TrimSpace(output))
	}
	return nil
}

// As has a command run as another user of the machine where this one is root, whom some servers do not serve.
func As(name string, command *exec.Cmd) error {
	if os.Getuid() != 0 {
		return nil
	}
	uid, gid, err := idsOf(name)
	if err != nil {
		return err
	}
	if command.SysProcAttr == nil {
		command.SysProcAttr = &syscall.SysProcAttr{}
	}
	command.SysProcAttr.Credential = &syscall.Credential{Uid: uid, Gid: gid}
	return nil
}

func idsOf(name string) (uid, gid uint32, err error) {
	who, err := user.Lookup(name)
	if err != nil {
		return 0, 0, fmt.Errorf("find a user: %w", err)
	}
	ids := [2]uint64{}
	for i, text := range []string{who.Uid, who.Gid} {
		if ids[i], err = strconv.ParseUint(text, 10, 32); err != nil {
			return 0, 0, fmt.Errorf("find a user: %w", err)
		}
	}
	return uint32(ids[0]), uint32(ids[1]), nil
}

// FreeAddress is a host:port of this machine on which nothing listens. Somebody else may take it before a server does.
func FreeAddress(ctx context.Context) (string, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err == nil {
		err = listener.Close()
	}
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return listener.Addr().String(), nil
}

// RedisProgram finds Redis' server. It is installed where there is none.
func RedisProgram(ctx context.Context) (string, error) {
	if err := Install(ctx, "command -v redis-server", "redis-server"); err != nil {
		return "", err
	}
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return "", fmt.Errorf("find Redis: %w", err)
	}
	return path, nil
}

// PostgresPrograms is the folder of the newest server's programs, installed where there are none.
func PostgresPrograms(ctx context.Context) (string, error) {
	if err := Install(ctx, "ls /usr/lib/postgresql/*/bin/postgres || command -v postgres", "postgresql"); err != nil {
		return "", err
	}
	newest, folder := 0, ""
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres") // the pattern is well formed
	for _, path := range found {
		version, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		if err == nil && version > newest {
			newest, folder = version, filepath.Dir(path)
		}
	}
	if path, err := exec.LookPath("postgres"); newest == 0 && err == nil {
		return filepath.Dir(path), nil
	}
	if newest < postgresOldest {
		return "", fmt.Errorf("PostgreSQL %d or newer is needed, there is %v", postgresOldest, found)
	}
	return folder, nil
}

// InitPostgres makes the data of a server, in data below folder, whose superuser has the password. The folder belongs to
// PostgresUser afterwards where this process is root's.
func InitPostgres(ctx context.Context, programs, folder, password string) error {
	file := filepath.Join(folder, ".password")
	if err := os.WriteFile(file, []byte(password), 0o600); err != nil {
		return fmt.Errorf("make the data of PostgreSQL: %w", err)
	}
	if os.Getuid() == 0 {
		uid, gid, err := idsOf(PostgresUser)
		if err != nil {
			return err
		}
		for _, path := range []string{folder, file} {
			if err := os.Chown(path, int(uid), int(gid)); err != nil {
				return fmt.Errorf("make the data of PostgreSQL: %w", err)
			}
		}
	}
	command := exec.CommandContext(ctx, filepath.Join(programs, "initdb"), "-D", filepath.Join(folder, "data"),
		"-U", PostgresUser, "-A", "scram-sha-256", "--pwfile", file, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
	command.Dir = os.TempDir()
	if err := As(PostgresUser, command); err != nil {
		return err
	}
	return run(command, "make the data of PostgreSQL")
}
