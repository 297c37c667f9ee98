package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"rolecall/internal/auth"
	"rolecall/internal/config"
	"rolecall/internal/roles"
	"rolecall/internal/simulation/sioclient"
	"rolecall/test/harness"
)

// smallDisk is a file system of its own with so many bytes; a test that may not make one is skipped.
func smallDisk(t *testing.T, bytes int) string {
	t.Helper()
	folder := t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, fmt.Sprintf("size=%d", bytes)); err != nil {
		t.Skipf("a file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return folder
}

// TestFullDisk: on a disk that is full writes are refused as unavailable and /readyz
// says why, in a few lines of log; when there is room the server goes on by itself, and everything that was acknowledged
// before and after is there, also after a kill.
func TestFullDisk(t *testing.T) {
	harness.NeedsFile(t)
	folder := smallDisk(t, 12<<20)
	ballast := filepath.Join(folder, "ballast")
	fill := func() error { return os.WriteFile(ballast, make([]byte, 9<<20), 0o600) }
	if err := fill(); err != nil {
		t.Fatal(err)
	}
	binary := harness.Build(t)
	process := harness.Launch(t, binary, "127.0.0.1:0", folder)
	ctx, cancel := context.WithTimeout(t.Context(), harness.Deadline*2)
	defer cancel()
	client := dialAs(ctx, t, process.URL, harness.Person("amy", roles.Vendor, ""), "/chat")
	if client == nil {
		t.Fatal("not let in")
	}
	kept := map[string]receipt{}
	ready := func() (int, string) {
		response, err := http.Get(process.URL + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		var problem struct{ Detail string }
		if err := json.NewDecoder(response.Body).Decode(&problem); err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, problem.Detail
	}
	for round := range 2 {
		if round > 0 {
			_ = fill() // as far as there is room
		}
		before, refused := process.Lines(), 0
		for n := 0; refused < 500; n++ {
			if !sendText(ctx, t, client, kept, fmt.Sprintf("full-%d-%d", round, n)) {
				refused++
			}
		}
		harness.Eventually(t, "/readyz says why", func() bool {
			status, sentence := ready()
			return status == http.StatusServiceUnavailable && strings.Contains(sentence, "full")
		})
		if lines := process.Lines() - before; lines > 30 {
			t.Errorf("%d lines of log for %d refusals", lines, refused)
		}
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		harness.Eventually(t, "the server is ready again", func() bool { status, _ := ready(); return status == http.StatusOK })
		for n := range 20 {
			if !sendText(ctx, t, client, kept, fmt.Sprintf("again-%d-%d", round, n)) {
				t.Error("refused though the disk is well")
			}
		}
	}
	client.Abort()
	process.Kill()
	process = harness.Launch(t, binary, "127.0.0.1:0", folder)
	stored := map[string]bool{}
	for _, m := range allMessages(ctx, t, process.URL) {
		stored[m.ID] = true
	}
	for clientID, sent := range kept {
		if !stored[sent.MessageID] {
			t.Errorf("acknowledged message %s is lost", clientID)
		}
	}
	t.Logf("%d acknowledged messages are there", len(kept))
	if code := process.Terminate(); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
}

// TestNearlyFullDisk: while there is less room than should be the server says so, and goes on.
func TestNearlyFullDisk(t *testing.T) {
	harness.NeedsOneNode(t, "its disk")
	folder := smallDisk(t, 12<<20)
	server := harness.Start(t, func(c *config.Config) { c.DataDir, c.MinFreeDisk = folder, 6<<20 })
	readyz := func() string {
		answer := server.REST("GET", "/readyz", auth.Identity{}, nil)
		if answer.Status != http.StatusOK {
			t.Errorf("/readyz: %d %s", answer.Status, answer.Body)
		}
		return string(answer.Body)
	}
	if said := readyz(); !strings.Contains(said, `"ready"`) {
		t.Errorf("with room: %s", said)
	}
	ballast := filepath.Join(folder, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 6<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	server.Eventually("/readyz says so", func() bool {
		said := readyz()
		return strings.Contains(said, `"degraded"`) && strings.Contains(said, "nearly full")
	})
	socket := server.Dial(harness.Person("amy", roles.Vendor, ""), "/chat")
	if ack := socket.Ask("chat:message", map[string]any{"roomId": "lobby", "text": "still stored"}); ack.Status != "ok" {
		t.Errorf("refused though there is room: %s", ack.Raw)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	server.Eventually("/readyz is well again", func() bool { return strings.Contains(readyz(), `"ready"`) })
}

// sendText says something in the room of the crash tests and reports whether it was acknowledged; else it must have been
// refused as unavailable.
func sendText(ctx context.Context, t *testing.T, client *sioclient.Client, kept map[string]receipt, clientID string) bool {
	t.Helper()
	raw, err := client.Call(ctx, "chat:message", map[string]any{
		"roomId": "crash", "text": clientID + strings.Repeat(" x", 1000), "clientId": clientID,
	})
	if err != nil {
		t.Fatal(err)
	}
	ack := harness.Decode[harness.Ack](t, raw)
	if ack.Status == "ok" {
		kept[clientID] = harness.Decode[receipt](t, raw)
		return true
	}
	if ack.Code != "unavailable" {
		t.Fatalf("refused with %s", raw)
	}
	return false
}
