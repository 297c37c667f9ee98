package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/roles"
	"rolecall/internal/simulation/sioclient"
	"rolecall/test/harness"
)

// memoryOf reads a line of what the system says of a process's memory, in bytes.
func memoryOf(t *testing.T, pid int, name string) int64 {
	t.Helper()
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(content), name+":")
	kilobytes, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return kilobytes << 10
}

// send uploads content, and returns what is told of it; false once the server is gone.
func send(ctx context.Context, t *testing.T, url string, who auth.Identity, name string, content io.Reader, size int64) (attachment, bool) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+harness.Path("attachments")+"?fileName="+name, content)
	if err != nil {
		t.Error(err)
		return attachment{}, false
	}
	request.ContentLength = size
	request.Header.Set("Authorization", "Bearer "+harness.Token(t, who))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return attachment{}, false
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return attachment{}, false
	}
	if response.StatusCode != http.StatusCreated {
		t.Errorf("upload: %d %s", response.StatusCode, body)
		return attachment{}, false
	}
	return harness.Decode[attachment](t, body), true
}

// noise is so many bytes that cannot be made smaller, of a seed.
type noise struct {
	random *rand.ChaCha8
}

// Read implements io.Reader.
func (n noise) Read(into []byte) (int, error) { return n.random.Read(into) }

func noiseOf(n int, size int64) io.Reader {
	const name = "noise\n" // so that it is not taken for anything
	return io.MultiReader(strings.NewReader(name), io.LimitReader(noise{rand.NewChaCha8([32]byte{byte(n), byte(n >> 8)})}, size-int64(len(name))))
}

// talkersAt connects people who will talk.
func talkersAt(t *testing.T, url string) (talkers []*sioclient.Client) {
	t.Helper()
	for i := range 10 {
		client := dialAs(t.Context(), t, url, harness.Person(fmt.Sprintf("talker-%d", i), roles.Vendor, ""), "/chat")
		if client == nil {
			t.Fatal("not connected")
		}
		talkers = append(talkers, client)
	}
	return talkers
}

// chatted has people say something as long as ctx lasts, and returns how long the acks took, in order.
func chatted(ctx context.Context, t *testing.T, talkers []*sioclient.Client) (took []time.Duration) {
	t.Helper()
	var mu sync.Mutex
	var talking sync.WaitGroup
	for _, client := range talkers {
		talking.Go(func() {
			pace := time.NewTicker(50 * time.Millisecond)
			defer pace.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-pace.C:
				}
				begun := time.Now()
				var sent receipt
				if !ask(context.WithoutCancel(ctx), t, client, "chat:message", map[string]any{"roomId": "talk", "text": "words"}, &sent) {
					return
				}
				mu.Lock()
				took = append(took, time.Since(begun))
				mu.Unlock()
			}
		})
	}
	talking.Wait()
	slices.Sort(took)
	return took
}

func percentile(took []time.Duration, of int) time.Duration {
	if len(took) == 0 {
		return 0
	}
	return took[(len(took)-1)*of/100].Round(100 * time.Microsecond)
}

// Many large attachments that are sent at once are never in memory as a whole. How long acks take meanwhile is logged: it is
// this machine's to say.
func TestManyAttachmentsAtOnce(t *testing.T) {
	harness.NeedsFile(t)
	many, size, quiet := 20, int64(1<<20), time.Second
	if os.Getenv("SOAK") != "" {
		many, size, quiet = 200, 5_000_000, 10*time.Second
	}
	process := harness.Launch(t, harness.Build(t), "127.0.0.1:0", t.TempDir(), "ROLECALL_RATE_UPLOAD=1000000/1s:1000000")
	defer func() {
		http.DefaultClient.CloseIdleConnections()
		if code := process.Terminate(); code != 0 {
			t.Errorf("exit code %d", code)
		}
	}()
	talkers := talkersAt(t, process.URL)
	defer func() {
		for _, client := range talkers {
			client.Abort()
		}
	}()
	alone, stop := context.WithTimeout(t.Context(), quiet)
	before := chatted(alone, t, talkers)
	stop()
	memory := memoryOf(t, process.PID(), "VmRSS")
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", process.PID()), []byte("5"), 0o200); err != nil {
		t.Logf("the peak is that since the start: %v", err)
	}
	busy, done := context.WithCancel(t.Context())
	var sending sync.WaitGroup
	begun := time.Now()
	for i := range many {
		sending.Go(func() {
			who := harness.Person(fmt.Sprintf("sender-%d", i), roles.Vendor, "")
			if sent, ok := send(t.Context(), t, process.URL, who, "noise", noiseOf(i, size), size); !ok || int64(sent.Size) != size {
				t.Errorf("upload %d: %+v", i, sent)
			}
		})
	}
	go func() {
		sending.Wait()
		done()
	}()
	during := chatted(busy, t, talkers)
	took := time.Since(begun)
	grown := memoryOf(t, process.PID(), "VmHWM") - memory
	t.Logf("%d attachments of %d bytes at once in %s: memory %d MiB, at most %d MiB more; acks alone p50 %s p99 %s of %d, meanwhile p50 %s p99 %s of %d",
		many, size, took.Round(time.Millisecond), memory>>20, grown>>20,
		percentile(before, 50), percentile(before, 99), len(before), percentile(during, 50), percentile(during, 99), len(during))
	if grown >= 64<<20 {
		t.Errorf("memory has grown by %d MiB", grown>>20)
	}
}

// A server that is killed in the middle of uploads, and of messages with attachments, leaves no message without its file and,
// once it was collected, no file without its message.
func TestKillsLeaveNoAttachmentBehind(t *testing.T) {
	harness.NeedsFile(t)
	defer http.DefaultClient.CloseIdleConnections()
	rounds := 5
	if os.Getenv("SOAK") != "" {
		rounds = 100
	}
	binary, dataDir, addr := harness.Build(t), t.TempDir(), "127.0.0.1:0"
	settings := []string{"ROLECALL_RATE_UPLOAD=1000000/1s:1000000", "ROLECALL_ATTACHMENT_UNSENT=2s"}
	for round := range rounds {
		process := harness.Launch(t, binary, addr, dataDir, settings...)
		addr = strings.TrimPrefix(process.URL, "http://")
		ctx, stop := context.WithCancel(t.Context())
		var load sync.WaitGroup
		for i := range 4 {
			load.Go(func() { attach(ctx, t, process.URL, round*10+i) })
		}
		<-time.After(time.Duration(100+rand.IntN(400)) * time.Millisecond)
		process.Kill()
		stop()
		load.Wait()
	}
	process := harness.Launch(t, binary, addr, dataDir, settings...)
	kept := attachmentsOf(t, process.URL)
	names := make(map[string]bool)
	for _, a := range kept {
		names[a.AttachmentID] = true
		if a.Thumbnail != nil {
			names[a.AttachmentID+".thumbnail"] = true
		}
		response, err := http.Get(process.URL + a.URL)
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || digestOf(content) != a.SHA256 {
			t.Errorf("the file of a message: %d, %d bytes, %v", response.StatusCode, len(content), err)
		}
	}
	harness.Eventually(t, "no file is left without its message", func() bool {
		left := 0
		err := filepath.WalkDir(filepath.Join(dataDir, "attachments"), func(path string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() && !names[filepath.Base(path)] {
				left++
			}
			return nil // it may have gone meanwhile
		})
		return err == nil && left == 0
	})
	t.Logf("%d kills: %d attachments of messages, each with its file", rounds, len(kept))
	if len(kept) == 0 {
		t.Error("nothing was sent")
	}
	if code := process.Terminate(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// attach uploads files and pictures and says them, until the server is gone.
func attach(ctx context.Context, t *testing.T, url string, n int) {
	who := harness.Person(fmt.Sprintf("writer-%d", n%10), roles.Vendor, "")
	client := dialAs(ctx, t, url, who, "/chat")
	if client == nil {
		return
	}
	defer client.Abort()
	picture := photo(t, 300, 200)
	for i := 0; ; i++ {
		content, size := noiseOf(n*100+i, 300_000), int64(300_000)
		if i%2 == 1 {
			content, size = bytes.NewReader([]byte(picture)), int64(len(picture))
		}
		file, ok := send(ctx, t, url, who, "a", content, size)
		if !ok {
			return
		}
		var sent receipt
		if !ask(ctx, t, client, "chat:message", map[string]any{"roomId": "crash", "attachmentId": file.AttachmentID}, &sent) {
			return
		}
		if i%5 == 4 && !ask(ctx, t, client, "chat:delete", map[string]any{"roomId": "crash", "messageId": sent.MessageID}, &sent) {
			return
		}
	}
}

// attachmentsOf are those of all messages of the room.
func attachmentsOf(t *testing.T, url string) (all []attachment) {
	t.Helper()
	token := harness.Token(t, harness.Person("reader", roles.Vendor, ""))
	cursor := ""
	for {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+harness.Path("rooms", "crash", "messages")+"?limit=200&cursor="+cursor, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		var page struct {
			Items []struct {
				attachedMessage
				Deleted bool `json:"deleted"`
			} `json:"items"`
			NextCursor string `json:"nextCursor"`
		}
		err = json.NewDecoder(response.Body).Decode(&page)
		_ = response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range page.Items {
			if !m.Deleted && len(m.Attachments) != 1 {
				t.Errorf("message %s has %d attachments", m.ID, len(m.Attachments))
			}
			all = append(all, m.Attachments...)
		}
		if cursor = page.NextCursor; cursor == "" {
			return all
		}
	}
}
