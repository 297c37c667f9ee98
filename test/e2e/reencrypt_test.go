package e2e

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/internal/instant"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/test/harness"
	"rolecall/test/servicetest"
)

// Messages are encrypted by another process while the server takes more of them; killed and begun again until nothing of what was
// said is left in the file.
func TestReencryptBesideAServer(t *testing.T) {
	harness.NeedsFile(t)
	harness.RunsOnce(t)
	const stored, sent = 5000, 20
	folder, binary := t.TempDir(), harness.Build(t)
	opened := harness.OpenStore(t, folder)
	changes := make([]chat.Change, stored)
	for i := range changes {
		changes[i] = chat.Append{Message: chat.Message{
			ID: fmt.Sprint("stored-", i), Room: servicetest.Room("lobby"), UserID: "ada", Username: "Ada", Role: roles.Admin,
			Text: fmt.Sprint("needle ", i), Timestamp: instant.Stamp(1_700_000_000_000 + i),
		}}
	}
	if _, err := opened.Chat.Apply(t.Context(), changes); err != nil {
		t.Fatal(err)
	}
	if err := opened.Close(); err != nil {
		t.Fatal(err)
	}

	keys := "ROLECALL_ENCRYPTION_KEYS=new:" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))
	process := harness.Launch(t, binary, "127.0.0.1:0", folder, keys)
	server := func(args ...string) *exec.Cmd {
		command := exec.CommandContext(t.Context(), binary, args...)
		command.Env = append(os.Environ(), keys, "ROLECALL_DATA_DIR="+folder)
		return command
	}
	ada := harness.Person("ada", roles.Admin, "")
	send := func(i int) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, process.URL+"/api/v1/rooms/lobby/messages",
			strings.NewReader(fmt.Sprintf(`{"text":"needle sent %d"}`, i)))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+harness.Token(t, ada))
		request.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusCreated {
			t.Fatalf("send: %s", answer.Status)
		}
	}
	killed := server("reencrypt")
	if err := killed.Start(); err != nil {
		t.Fatal(err)
	}
	for i := range sent / 2 {
		send(i)
	}
	_ = killed.Process.Kill()
	_ = killed.Wait() // "signal: killed" is what was asked for, unless it was done
	again := server("reencrypt")
	var said bytes.Buffer
	again.Stdout, again.Stderr = &said, &said
	if err := again.Start(); err != nil {
		t.Fatal(err)
	}
	for i := range sent / 2 {
		send(sent/2 + i)
	}
	if err := again.Wait(); err != nil || !strings.Contains(said.String(), "all but 0 are encrypted with the key new") {
		t.Errorf("reencrypt: %v\n%s", err, said.String())
	}
	if code := process.Terminate(); code != 0 {
		t.Errorf("the server ended with %d", code)
	}
	if output, err := server("compact").CombinedOutput(); err != nil {
		t.Fatalf("compact: %v\n%s", err, output)
	}
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(filepath.Join(folder, "rolecall.db"+suffix))
		if err == nil && bytes.Contains(content, []byte("needle")) {
			t.Errorf("what was said stands in rolecall.db%s", suffix)
		}
	}
	if output, _ := server("doctor").CombinedOutput(); !strings.Contains(string(output), "messages are encrypted with the key new") {
		t.Errorf("doctor: %s", output)
	}
}
