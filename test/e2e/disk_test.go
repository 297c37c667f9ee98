package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"rolecall/internal/config"
	"rolecall/internal/roles"
	"rolecall/test/harness"
)

// readiness is what /readyz says.
func readiness(t *testing.T, server *harness.Server) (status int, sentence string) {
	t.Helper()
	response, err := http.Get(server.URL + "/readyz")
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

// harms are what operators, scripts and failing disks do to a database under a running server.
func harms() map[string]func(path string) error {
	return map[string]func(path string) error{
		"removed": os.Remove,
		"replaced": func(path string) error {
			if err := os.WriteFile(path+".other", []byte("SQLite format 3\x00"), 0o600); err != nil {
				return err
			}
			return os.Rename(path+".other", path)
		},
		"truncated": func(path string) error { return os.Truncate(path, 8192) },
		"garbled": func(path string) error {
			file, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				return err
			}
			info, err := file.Stat()
			if err == nil {
				_, err = file.WriteAt(bytes.Repeat([]byte{0x5a}, int(info.Size())-4096), 4096)
			}
			return errors.Join(err, file.Close())
		},
	}
}

// TestHarmedDatabase: a database that is taken away, replaced or damaged while people write to it is noticed: writes are
// refused as unavailable from then on, whichever door they come through, /readyz says why, nothing that is acknowledged
// afterwards is lost since nothing is, and people go on reading what the file still gives.
func TestHarmedDatabase(t *testing.T) {
	harness.NeedsFile(t)
	for name, harm := range harms() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			server := harness.Start(t, func(c *config.Config) { c.DataDir = folder })
			path := filepath.Join(folder, "rolecall.db")
			var acked atomic.Int64
			var harmed atomic.Bool
			var writers sync.WaitGroup
			for i := range 4 {
				socket := server.Dial(harness.Person([]string{"amy", "bob", "cem", "dan"}[i], roles.Vendor, ""), "/")
				writers.Go(func() {
					for range 20_000 {
						ack := socket.Ask("chat:message", map[string]any{"roomId": "lobby", "text": strings.Repeat("x", 1000)})
						if ack.Status != "ok" {
							if ack.Code != "unavailable" || !harmed.Load() {
								t.Errorf("a message was refused: %+v", ack)
							}
							return
						}
						acked.Add(1)
					}
					t.Error("writes go on and on")
				})
			}
			server.Eventually("there is something to lose", func() bool {
				info, err := os.Stat(path)
				return acked.Load() > 200 && err == nil && info.Size() > 1<<16
			})
			harmed.Store(true)
			if err := harm(path); err != nil {
				t.Error(err)
			}
			writers.Wait()
			status, sentence := readiness(t, server)
			if status != http.StatusServiceUnavailable || !strings.Contains(sentence, "database") {
				t.Errorf("/readyz: %d %q", status, sentence)
			}
			got := server.REST("POST", "/api/v1/notices", harness.Person("root", roles.Admin, ""), map[string]any{"title": "t", "audience": map[string]any{"all": true}})
			if got.Status != http.StatusServiceUnavailable {
				t.Errorf("a notice: %d %s", got.Status, got.Body)
			}
			if err := server.StopAnyhow(); err != nil {
				t.Logf("the end: %v", err) // a file that is not there cannot be closed as it should
			}
		})
	}
}
