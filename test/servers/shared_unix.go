//go:build unix

package servers

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// shared returns the URL of the server of a kind that all tests share which run at the time. It stays until the end of t at
// least. Where none answers, start starts one, which supervise is to watch with the file that start is given.
func shared(t testing.TB, kind string, answers func(url string) error, start func(users string) (url string)) string {
	t.Helper()
	shelf := shelf(t)
	users := flock(t, filepath.Join(shelf, kind+"-users"), syscall.LOCK_SH)
	t.Cleanup(func() { unlock(t, users) })
	defer unlock(t, flock(t, filepath.Join(shelf, kind+"-start"), syscall.LOCK_EX))
	address := filepath.Join(shelf, kind+"-url")
	if known, err := os.ReadFile(address); err == nil && answers(string(known)) == nil {
		return string(known)
	}
	url := start(users.Name())
	if err := os.WriteFile(address, []byte(url), 0o600); err != nil {
		t.Fatal(err)
	}
	return url
}

// supervise starts a server with a folder of its own, and a script that stops it when nobody needs it any more. change may
// say as whom.
func supervise(t testing.TB, users, data string, server []string, change func(command *exec.Cmd)) {
	t.Helper()
	watched, err := os.OpenFile(users, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = watched.Close() }()                                    // the script has it
	command := exec.Command("sh", append([]string{"-s", data}, server...)...) // it outlives the test
	script, err := os.Open(filepath.Join(folder(), "supervise.sh"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = script.Close() }()
	command.Dir, command.Stdin, command.ExtraFiles = os.TempDir(), script, []*os.File{watched}
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	change(command)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	if err := command.Process.Release(); err != nil {
		t.Fatal(err)
	}
}
