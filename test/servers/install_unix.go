//go:build unix

package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"rolecall/test/servers/launch"
)

// folder is where this package's scripts are.
func folder() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(file)
}

// shelf is where tests of all packages meet, a folder of the user's own.
func shelf(t testing.TB) string {
	t.Helper()
	path := filepath.Join(os.TempDir(), fmt.Sprintf("rolecall-servers-%d", os.Getuid()))
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if its, ok := info.Sys().(*syscall.Stat_t); !info.IsDir() || !ok || int(its.Uid) != os.Getuid() || info.Mode().Perm() != 0o700 {
		t.Fatalf("%s is not a folder of this user alone", path)
	}
	return path
}

// flock opens a file of the shelf and locks it, which it waits for. To close it is to unlock it.
func flock(t testing.TB, path string, how int) *os.File {
	t.Helper()
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for {
		err = syscall.Flock(int(file.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		t.Fatalf("lock %s: %v", path, err)
	}
	return file
}

func unlock(t testing.TB, file *os.File) {
	t.Helper()
	if err := file.Close(); err != nil {
		t.Errorf("unlock: %v", err)
	}
}

// Install makes sure that a shell command succeeds, by the Debian packages that it needs. Only one test installs at a time.
func Install(t testing.TB, check string, packages ...string) {
	t.Helper()
	defer unlock(t, flock(t, filepath.Join(shelf(t), "install"), syscall.LOCK_EX))
	if err := launch.Install(t.Context(), check, packages...); err != nil {
		t.Fatal(err)
	}
}

// installed is what find finds, one test at a time, as it may install.
func installed(t testing.TB, find func(ctx context.Context) (string, error)) string {
	t.Helper()
	defer unlock(t, flock(t, filepath.Join(shelf(t), "install"), syscall.LOCK_EX))
	path, err := find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// freeAddress is a host:port on which nothing listens now.
func freeAddress(t testing.TB) string {
	t.Helper()
	address, err := launch.FreeAddress(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// as has a command run as another user of the machine where this one is root.
func as(t testing.TB, name string, command *exec.Cmd) {
	t.Helper()
	if err := launch.As(name, command); err != nil {
		t.Fatal(err)
	}
}
