package hostile_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"rolecall/test/harness"
)

// shutdown is SHUTDOWN_TIMEOUT of the servers here.
const shutdown = 10 * time.Second

// server is the program as a process.
type server struct {
	*harness.Process
	t *testing.T
}

// serve starts the binary on a copy of what was seeded, with further settings.
func serve(t *testing.T, binary, seeded string, settings []string) *server {
	t.Helper()
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS(seeded)); err != nil {
		t.Fatal(err)
	}
	settings = append([]string{"ROLECALL_JWT_SECRET=" + harness.Secret, "ROLECALL_SHUTDOWN_TIMEOUT=" + shutdown.String()}, settings...)
	return &server{harness.LaunchWith(t, binary, "127.0.0.1:0", folder, settings...), t}
}

// resident is the memory that the process has, in bytes; 0 where the system does not tell.
func (s *server) resident() int64 {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.PID()), "status"))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	line, _, _ := strings.Cut(rest, "kB")
	kilobytes, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	if err != nil {
		s.t.Fatalf("VmRSS: %v", err)
	}
	return kilobytes << 10
}

// used is the processor time that the process has taken; 0 where the system does not tell.
func (s *server) used() time.Duration {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.PID()), "stat"))
	if err != nil {
		return 0
	}
	// The name in brackets may hold anything; utime and stime are the 12th and 13th field behind it, in hundredths of a second.
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	ticks := 0
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(field)
		if err != nil {
			s.t.Fatalf("processor time: %v", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// stop asks the process to stop, and fails the test where that is not in order and in time.
func (s *server) stop() time.Duration {
	s.t.Helper()
	begun := time.Now()
	late := time.AfterFunc(2*shutdown, s.Kill)
	code := s.Terminate()
	took := time.Since(begun)
	if late.Stop(); code != 0 || took > shutdown+2*time.Second {
		s.t.Errorf("stopped with %d in %s, want 0 within %s", code, took.Round(time.Millisecond), shutdown)
	}
	return took
}
