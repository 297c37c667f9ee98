package e2e

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"rolecall/internal/roles"
	"rolecall/internal/text"
	"rolecall/test/harness"
)

// jsonDocuments holds documents that every JSON parser has to accept (y_) or refuse (n_), or may do either with (i_).
func jsonDocuments(t *testing.T) map[string]string {
	t.Helper()
	documents := map[string]string{
		"y_empty_object.json":   `{}`,
		"y_escapes.json":        `{"text":"\u0000\ud83d\ude00\"\\\/"}`,
		"y_whitespace.json":     " [ 1 ,\n2 ]\t",
		"n_nan.json":            `[NaN]`,
		"n_trailing.json":       `[1]]`,
		"n_single_quotes.json":  `{'a':1}`,
		"n_open.json":           strings.Repeat("[", 50_000),
		"i_lone_surrogate.json": `{"text":"\ud800"}`,
	}
	if folder, ok := harness.Data(t, "text/json_parsing"); ok {
		files, err := filepath.Glob(filepath.Join(folder, "*.json"))
		if err != nil || len(files) < 300 {
			t.Fatalf("%d documents in %s: %v", len(files), folder, err)
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			documents[filepath.Base(file)] = string(content)
		}
	}
	return documents
}

// Every document, as an event's payload and as a request's body: what is JSON gets an answer that fits, what is not is
// refused, and nobody else is disturbed.
func TestEveryJSONDocument(t *testing.T) {
	server := harness.Start(t, nil)
	neighbour := server.Dial(harness.Person("neighbour", roles.Vendor, ""), "/")
	sender := harness.Person("sender", roles.Driver, "acme")
	for name, document := range jsonDocuments(t) {
		answer := server.REST("POST", harness.Path("rooms", "json", "messages"), sender, document)
		if name[0] == 'n' && answer.Status != 400 && answer.Status != 413 {
			t.Errorf("POST %s: %d %s", name, answer.Status, answer.Body)
		}
		if answer.Status >= 500 {
			t.Errorf("POST %s: %d %s", name, answer.Status, answer.Body)
		}
		acked := sendDocument(t, server.Dial(sender, "/chat"), document)
		if name[0] == 'y' && !acked {
			t.Errorf("%s is JSON, and was not answered", name)
		}
	}
	if ack := neighbour.Ask("system:inbox"); ack.Status != "ok" {
		t.Errorf("the neighbour was disturbed: %s", ack.Raw)
	}
}

// sendDocument sends an event with the document as its payload; it reports whether an ack came before the end of the
// connection.
func sendDocument(t *testing.T, socket *harness.Socket, document string) (acked bool) {
	t.Helper()
	defer socket.Abort()
	ctx, cancel := context.WithTimeout(t.Context(), harness.Deadline)
	defer cancel()
	if err := socket.SendRaw(ctx, `42/chat,["chat:message",`+document+`]`); err != nil {
		return false
	}
	// Without an ack id a refusal comes as error:event; a fence behind it shows that the connection lives.
	if _, err := socket.Call(ctx, "chat:history", map[string]any{"roomId": "json"}); err != nil {
		return false
	}
	return true
}

// shown is what is kept of a text: it loses white space at the ends, and what nobody would see.
func shown(sent string) string {
	if text.IsBlank(sent) {
		return ""
	}
	return text.Trim(sent)
}

// The strings of the list, whatever they are, come back byte for byte from chat and notices; but chat takes white space off
// their ends, and no message in which there is nothing to see.
func TestHostileTextsComeBackAsTheyWere(t *testing.T) {
	texts := []string{
		"\x00", "a\x00b", "\u202Ereversed", "👩‍👩‍👧‍👦", "Z̸a̷l̶g̵o̴", "<script>alert(1)</script>", "' OR 1=1 --", "\u2028\u2029", "\ufeff",
		"\U0010FFFF", strings.Repeat("𝔘", 5000), "null", "{\"a\":1}", "\\u0000", "   ", "\r\n\t",
	}
	if folder, ok := harness.Data(t, "text"); ok {
		content, err := os.ReadFile(filepath.Join(folder, "blns.json"))
		if err != nil {
			t.Fatal(err)
		}
		var more []string
		if err := json.Unmarshal(content, &more); err != nil {
			t.Fatal(err)
		}
		texts = append(texts, more...)
	}
	server := harness.Start(t, nil)
	socket := server.Dial(harness.Person("root", roles.Admin, ""), "/")
	harness.Must[struct{}](socket, "room:join", map[string]any{"rooms": []string{"texts", "edits"}})
	var said []string
	first := harness.Must[receipt](socket, "chat:message", map[string]any{"roomId": "edits", "text": "what is edited"})
	harness.Heard[message](socket, "chat:message")
	asEdited := "what is edited"
	for _, text := range texts {
		if text == "" || !utf8.ValidString(text) || utf8.RuneCountInString(text) > 5000 {
			continue
		}
		ack := socket.Ask("chat:message", map[string]any{"roomId": "texts", "text": text})
		if shown(text) == "" {
			if ack.Code != "invalid_payload" || ack.Error != "Invalid message" {
				t.Errorf("%q, in which there is nothing to see: %s", text, ack.Raw)
			}
		} else if heard := harness.Heard[message](socket, "chat:message"); heard.Text != shown(text) {
			t.Errorf("heard %q, sent %q", heard.Text, text)
		} else {
			said = append(said, heard.Text)
		}
		edited := socket.Ask("chat:edit", map[string]any{"roomId": "edits", "messageId": first.MessageID, "text": text})
		if shown(text) == "" {
			if edited.Code != "invalid_payload" || edited.Error != "Invalid message" {
				t.Errorf("%q, in which there is nothing to see, as an edit: %s", text, edited.Raw)
			}
		} else if asEdited != shown(text) { // what is so already is told to nobody
			asEdited = shown(text)
			if heard := harness.Heard[message](socket, "chat:edited"); heard.Text != asEdited {
				t.Errorf("heard of an edit %q, sent %q", heard.Text, text)
			}
		}
		title, body := shown(string([]rune(text)[:min(200, utf8.RuneCountInString(text))])), shown(text)
		if title == "" {
			title = "blank"
		}
		audience := map[string]any{"users": []string{"root"}}
		harness.Must[struct{}](socket, "system:broadcast", map[string]any{"title": title, "body": text, "audience": audience, "data": map[string]string{"text": title}})
		type full struct {
			Title, Body string
			Data        struct{ Text string }
		}
		if heard := harness.Heard[full](socket, "system:notice"); heard.Title != title || heard.Body != body || heard.Data.Text != title {
			t.Errorf("heard %+v, sent %q", heard, text)
		}
	}
	server.Restart()
	kept := get[message](t.Context(), t, server.URL, harness.Person("root", roles.Admin, ""), "/api/v1/rooms/texts/messages?limit=200&after=0")
	if len(kept) != len(said) {
		t.Fatalf("%d messages are kept of %d", len(kept), len(said))
	}
	for i, text := range said {
		if kept[i].Text != text {
			t.Errorf("kept %q, said %q", kept[i].Text, text)
		}
	}
	last := get[message](t.Context(), t, server.URL, harness.Person("root", roles.Admin, ""), "/api/v1/rooms/edits/messages?limit=200")
	if len(last) != 1 || last[0].Text != said[len(said)-1] {
		t.Errorf("the edited message is kept as %+v, want the last text", last)
	}
	t.Logf("%d texts came back as they were", len(said))
}
