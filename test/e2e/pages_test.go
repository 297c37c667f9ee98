package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"rolecall/internal/page"
	"rolecall/internal/roles"
	"rolecall/test/harness"
)

// whole is how large anything with a page in it may be, in bytes.
const whole = page.MaxBytes + 64<<10

// What somebody has said at length does not make pages long: they are cut, and going on from one to the next misses
// nothing, by each way in which a room's messages are read.
func TestPagesAreBoundedInBytes(t *testing.T) {
	t.Parallel()
	const count = 60
	server := harness.Start(t, nil)
	amy := harness.Person("amy", roles.Vendor, "")
	socket := server.Dial(amy, "")
	for i := range count {
		harness.Must[struct{}](socket, "chat:message", map[string]any{"roomId": "lobby", "text": strings.Repeat("数", 4990) + fmt.Sprint(i)})
	}
	type history struct {
		Messages []struct{ Seq int64 }
		HasMore  bool
	}
	var read []int64
	note := func(way string, raw json.RawMessage, wantMore bool) history {
		page := harness.Decode[history](t, raw)
		if len(raw) > whole || len(page.Messages) == 0 || wantMore && !page.HasMore {
			t.Fatalf("%s: %d bytes, %d messages, more %v", way, len(raw), len(page.Messages), page.HasMore)
		}
		for _, message := range page.Messages {
			read = append(read, message.Seq)
		}
		return page
	}
	complete := func(way string) {
		t.Helper()
		for i, seq := range read {
			if seq != int64(i+1) {
				t.Fatalf("%s: message %d is where %d is wanted", way, seq, i+1)
			}
		}
		if len(read) != count {
			t.Fatalf("%s: %d messages of %d", way, len(read), count)
		}
		read = nil
	}
	forwards := func(way string, ask func(after int64) json.RawMessage) {
		for after, more := int64(0), true; more; after = read[len(read)-1] {
			more = note(way, ask(after), after == 0).HasMore
		}
		complete(way)
	}
	forwards("room:join", func(after int64) json.RawMessage {
		harness.Must[struct{}](socket, "room:join", map[string]any{"roomId": "lobby", "after": after, "limit": 200})
		return harness.Heard[json.RawMessage](socket, "room:history")
	})
	forwards("chat:history", func(after int64) json.RawMessage {
		return socket.Ask("chat:history", map[string]any{"roomId": "lobby", "after": after, "limit": 200}).Raw
	})
	var pages []history
	for before, more := int64(count+1), true; more; before = pages[len(pages)-1].Messages[0].Seq {
		pages = append(pages, note("backwards", socket.Ask("chat:history",
			map[string]any{"roomId": "lobby", "before": before, "limit": 200}).Raw, before > count))
		more = pages[len(pages)-1].HasMore
	}
	read = nil
	for i := len(pages) - 1; i >= 0; i-- {
		for _, message := range pages[i].Messages {
			read = append(read, message.Seq)
		}
	}
	complete("backwards")
}

// Likewise notices with much in them: of the inbox that greets, and of the lists.
func TestInboxesAreBoundedInBytes(t *testing.T) {
	t.Parallel()
	const count = 30
	server := harness.Start(t, nil)
	admin := harness.Person("ada", roles.Admin, "")
	for i := range count {
		answer := server.REST(http.MethodPost, "/api/v1/notices", admin, map[string]any{
			"title": fmt.Sprint(i), "body": strings.Repeat("<", 4000), "audience": map[string]any{"all": true},
			"data": map[string]any{"text": strings.Repeat("x", 15_000)},
		})
		if answer.Status != http.StatusCreated {
			t.Fatalf("notice: %d %s", answer.Status, answer.Body)
		}
	}
	vic := harness.Person("vic", roles.Vendor, "")
	greeting := harness.Heard[json.RawMessage](server.Dial(vic, "/system"), "system:inbox")
	first := harness.Decode[struct {
		Unread  int
		Notices []json.RawMessage
	}](t, greeting)
	if len(greeting) > whole || first.Unread != count || len(first.Notices) == 0 || len(first.Notices) == count {
		t.Errorf("a greeting of %d bytes, %d notices of %d", len(greeting), len(first.Notices), first.Unread)
	}
	for path, who := range map[string]func(cursor string) harness.Answer{
		"/api/v1/me/inbox?limit=200": func(cursor string) harness.Answer {
			return server.REST(http.MethodGet, "/api/v1/me/inbox?limit=200"+cursor, vic, nil)
		},
		"/api/v1/notices?limit=200": func(cursor string) harness.Answer {
			return server.REST(http.MethodGet, "/api/v1/notices?limit=200"+cursor, admin, nil)
		},
	} {
		seen, cursor, pages := map[string]bool{}, "", 0
		for {
			answer := who(cursor)
			if answer.Status != http.StatusOK || len(answer.Body) > whole {
				t.Fatalf("%s: %d, %d bytes", path, answer.Status, len(answer.Body))
			}
			list := harness.Decode[struct {
				Items      []struct{ ID string }
				NextCursor string
			}](t, answer.Body)
			for _, item := range list.Items {
				seen[item.ID] = true
			}
			pages++
			if list.NextCursor == "" {
				break
			}
			cursor = "&cursor=" + url.QueryEscape(list.NextCursor)
		}
		if len(seen) != count || pages < 2 {
			t.Errorf("%s: %d notices of %d on %d pages", path, len(seen), count, pages)
		}
	}
}
