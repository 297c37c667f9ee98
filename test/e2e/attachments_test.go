package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/config"
	"rolecall/internal/roles"
	"rolecall/internal/simulation/sioclient"
	"rolecall/test/harness"
)

// attachment is one as clients are told of it.
type attachment struct {
	AttachmentID string `json:"attachmentId"`
	FileName     string `json:"fileName"`
	MimeType     string `json:"mimeType"`
	Size         int    `json:"size"`
	SHA256       string `json:"sha256"`
	Width        int    `json:"width"`
	Height       int    `json:"height"`
	URL          string `json:"url"`
	Thumbnail    *struct {
		MimeType string `json:"mimeType"`
		Width    int    `json:"width"`
		Height   int    `json:"height"`
		URL      string `json:"url"`
	} `json:"thumbnail"`
}

// attachedMessage is a message with attachments.
type attachedMessage struct {
	ID          string       `json:"id"`
	Text        string       `json:"text"`
	Attachment  *attachment  `json:"attachment"`
	Attachments []attachment `json:"attachments"`
}

// upload sends a file as it is.
func upload(t *testing.T, server *harness.Server, who auth.Identity, name, content string, headers ...string) attachment {
	t.Helper()
	answer := tryUpload(server, who, name, content, headers...)
	if answer.Status != http.StatusCreated {
		t.Fatalf("upload of %s: %d %s", name, answer.Status, answer.Body)
	}
	return harness.Decode[attachment](t, answer.Body)
}

func tryUpload(server *harness.Server, who auth.Identity, name, content string, headers ...string) harness.Answer {
	return server.REST("POST", harness.Path("attachments")+"?fileName="+url.QueryEscape(name), who, content,
		append([]string{"Content-Type", "application/octet-stream"}, headers...)...)
}

// photo is a picture of two colours, the left half of one and the right of the other.
func photo(t *testing.T, width, height int) string {
	t.Helper()
	points := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			shade := color.RGBA{R: 250, A: 255}
			if x >= width/2 {
				shade = color.RGBA{B: 250, A: 255}
			}
			points.SetRGBA(x, y, shade)
		}
	}
	var encoded bytes.Buffer
	if err := jpeg.Encode(&encoded, points, nil); err != nil {
		t.Fatal(err)
	}
	return encoded.String()
}

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// A file is uploaded, goes into a message, is told of with addresses to everybody in the room by every door, is fetched by them
// and by nobody else, and is gone with the message.
func TestAttachmentsOfMessages(t *testing.T) {
	server := harness.Start(t, func(c *config.Config) { c.AttachmentUnsent = time.Hour })
	amy, bob, eve := harness.Person("amy", roles.Vendor, ""), harness.Person("bob", roles.Driver, "acme"), harness.Person("eve", roles.Admin, "")
	amys, bobs := server.Dial(amy, "/"), server.Dial(bob, "/chat")
	picture := upload(t, server, amy, "photo.jpg", photo(t, 1200, 600))
	slip := upload(t, server, amy, "Lieferschein für Müller.pdf", "%PDF-1.7\nslip")
	if picture.MimeType != "image/jpeg" || picture.Width != 1200 || picture.Height != 600 || picture.Thumbnail == nil ||
		picture.Thumbnail.Width != 480 || picture.Thumbnail.Height != 240 {
		t.Errorf("a picture: %+v, %+v", picture, picture.Thumbnail)
	}
	if slip.MimeType != "application/pdf" || slip.Size != len("%PDF-1.7\nslip") || slip.SHA256 != digestOf([]byte("%PDF-1.7\nslip")) || slip.Thumbnail != nil {
		t.Errorf("a document: %+v", slip)
	}
	fetch := func(who auth.Identity, a attachment) int {
		return server.REST("GET", harness.Path("attachments", a.AttachmentID), who, nil).Status
	}
	if mine, others := fetch(amy, slip), fetch(bob, slip); mine != http.StatusOK || others != http.StatusNotFound {
		t.Errorf("before it is sent: %d for who has uploaded it, %d for another", mine, others)
	}
	taken := bobs.Ask("chat:message", map[string]any{"to": "amy", "attachmentId": slip.AttachmentID})
	if taken.Code != "not_found" {
		t.Errorf("what somebody else has uploaded is sent: %s", taken.Raw)
	}

	sent := harness.Must[receipt](amys, "chat:message", map[string]any{
		"to": "bob", "attachmentIds": []string{picture.AttachmentID, slip.AttachmentID}, "clientId": "c1",
	})
	heard := harness.Heard[attachedMessage](bobs, "chat:message")
	if heard.Text != "" || len(heard.Attachments) != 2 || heard.Attachment == nil || heard.Attachment.AttachmentID != picture.AttachmentID ||
		heard.Attachments[1].FileName != slip.FileName {
		t.Fatalf("told: %+v", heard)
	}
	again := harness.Must[receipt](amys, "chat:message", map[string]any{
		"to": "bob", "attachmentIds": []string{picture.AttachmentID, slip.AttachmentID}, "clientId": "c1",
	})
	if again.MessageID != sent.MessageID {
		t.Errorf("sent again: %s, not %s", again.MessageID, sent.MessageID)
	}
	second := amys.Ask("chat:message", map[string]any{"to": "bob", "attachmentId": slip.AttachmentID})
	if second.Code != "not_found" || second.Field != "attachmentIds" {
		t.Errorf("an attachment is sent a second time: %s", second.Raw)
	}
	for who, want := range map[*auth.Identity]int{&amy: http.StatusOK, &bob: http.StatusOK, &eve: http.StatusNotFound} {
		if got := fetch(*who, slip); got != want {
			t.Errorf("%s fetches it: %d, want %d", who.UserID, got, want)
		}
	}
	history := harness.Decode[struct {
		Items []attachedMessage `json:"items"`
	}](t, server.REST("GET", harness.Path("rooms", sent.RoomID, "messages"), bob, nil).Body)
	if len(history.Items) != 1 || len(history.Items[0].Attachments) != 2 || history.Items[0].Attachments[0].URL == "" {
		t.Fatalf("history: %+v", history)
	}
	for _, a := range []attachment{heard.Attachments[1], history.Items[0].Attachments[1]} {
		if got := server.REST("GET", a.URL, auth.Identity{}, nil); got.Status != http.StatusOK || string(got.Body) != "%PDF-1.7\nslip" {
			t.Errorf("by its address: %d %q", got.Status, got.Body)
		}
	}
	fresh := harness.Must[attachment](bobs, "chat:attachment", map[string]any{"attachmentId": picture.AttachmentID})
	small := server.REST("GET", fresh.Thumbnail.URL, auth.Identity{}, nil)
	if config, err := jpeg.DecodeConfig(bytes.NewReader(small.Body)); err != nil || config.Width != 480 || config.Height != 240 {
		t.Errorf("thumbnail: %+v, %v", config, err)
	}
	if outsider := server.Dial(eve, "/").Ask("chat:attachment", map[string]any{"attachmentId": picture.AttachmentID}); outsider.Code != "not_found" {
		t.Errorf("an outsider asks for addresses: %s", outsider.Raw)
	}

	harness.Must[amended](amys, "chat:delete", map[string]any{"roomId": sent.RoomID, "messageId": sent.MessageID})
	for what, got := range map[string]int{
		"for its sender": fetch(amy, slip), "by its address": server.REST("GET", fresh.URL, auth.Identity{}, nil).Status,
		"in small": server.REST("GET", fresh.Thumbnail.URL, auth.Identity{}, nil).Status,
	} {
		if got != http.StatusNotFound {
			t.Errorf("of a deleted message, %s: %d", what, got)
		}
	}
}

// An address is good for who has it, as it is and not altered, until it is over or somebody is taken out of the room.
func TestAddressesOfAttachments(t *testing.T) {
	server := harness.Start(t, nil)
	amy, bob, cem := harness.Person("amy", roles.Vendor, ""), harness.Person("bob", roles.Vendor, ""), harness.Person("cem", roles.Vendor, "")
	amys, bobs, cems := server.Dial(amy, "/"), server.Dial(bob, "/"), server.Dial(cem, "/")
	for _, socket := range []*harness.Socket{bobs, cems} { // who answers is in touch, and may be put into groups
		harness.Must[receipt](socket, "chat:message", map[string]any{"to": "amy", "text": "hello"})
	}
	for _, other := range []string{"bob", "cem"} {
		harness.Must[receipt](amys, "chat:message", map[string]any{"to": other, "text": "hello"})
	}
	group := harness.Must[struct {
		RoomID string `json:"roomId"`
	}](amys, "room:create", map[string]any{"name": "crew", "members": []string{"bob", "cem"}})
	file := upload(t, server, amy, "a.txt", "some words")
	harness.Must[receipt](amys, "chat:message", map[string]any{"roomId": group.RoomID, "attachmentId": file.AttachmentID})
	get := func(address string) int { return server.REST("GET", address, auth.Identity{}, nil).Status }
	addresses := func(who auth.Identity) harness.Answer {
		return server.REST("GET", harness.Path("attachments", file.AttachmentID, "addresses"), who, nil)
	}
	good := harness.Decode[attachment](t, addresses(cem).Body).URL
	parsed, err := url.Parse(good)
	if err != nil {
		t.Fatal(err)
	}
	altered := func(change func(values url.Values)) string {
		values := parsed.Query()
		change(values)
		return parsed.Path + "?" + values.Encode()
	}
	expires, _ := strconv.ParseInt(parsed.Query().Get("expires"), 10, 64)
	for what, test := range map[string]struct {
		address string
		want    int
	}{
		"as it is":            {good, http.StatusOK},
		"later":               {altered(func(v url.Values) { v.Set("expires", strconv.FormatInt(expires+1, 10)) }), http.StatusForbidden},
		"another signature":   {altered(func(v url.Values) { v.Set("signature", strings.Repeat("A", 22)) }), http.StatusForbidden},
		"no signature":        {parsed.Path, http.StatusForbidden},
		"another file":        {strings.Replace(good, file.AttachmentID, "0197a3c0-5d1e-7c3a-9f10-3f6b1c2d4e60", 1), http.StatusForbidden},
		"its thumbnail":       {strings.Replace(good, "?", "/thumbnail?", 1), http.StatusForbidden},
		"a parameter more":    {good + "&a=b", http.StatusBadRequest},
		"one of long ago":     {altered(func(v url.Values) { v.Set("expires", "1") }), http.StatusForbidden},
		"with a token beside": {good + "&access_token=x", http.StatusBadRequest},
	} {
		if got := get(test.address); got != test.want {
			t.Errorf("%s: %d, want %d", what, got, test.want)
		}
	}
	harness.Must[any](cems, "room:remove", map[string]any{"roomId": group.RoomID, "members": []string{"cem"}})
	if got := get(good); got != http.StatusForbidden {
		t.Errorf("after somebody has left: %d", got)
	}
	if got := addresses(cem).Status; got != http.StatusNotFound {
		t.Errorf("who has left asks for another: %d", got)
	}
	server.Eventually("those who have stayed get another that is good", func() bool {
		return get(harness.Decode[attachment](t, addresses(bob).Body).URL) == http.StatusOK
	})
}

// A file is served as what it is, in parts as well, and never as what a browser would run.
func TestHowAttachmentsAreServed(t *testing.T) {
	server := harness.Start(t, nil)
	amy := harness.Person("amy", roles.Vendor, "")
	const words = "0123456789"
	file := upload(t, server, amy, "zehn Ziffern ✓.txt", words)
	for what, get := range map[string]func(headers ...string) harness.Answer{
		"with a token": func(headers ...string) harness.Answer {
			return server.REST("GET", harness.Path("attachments", file.AttachmentID), amy, nil, headers...)
		},
		"by its address": func(headers ...string) harness.Answer {
			return server.REST("GET", file.URL, auth.Identity{}, nil, headers...)
		},
	} {
		whole := get()
		for name, want := range map[string]string{
			"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff", "Content-Length": "10", "Accept-Ranges": "bytes",
			"Content-Disposition":     `attachment; filename="zehn Ziffern _.txt"; filename*=UTF-8''zehn%20Ziffern%20%E2%9C%93.txt`,
			"Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'", "Etag": `"` + digestOf([]byte(words)) + `"`,
		} {
			if got := whole.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", what, name, got, want)
			}
		}
		if control := whole.Header.Get("Cache-Control"); !strings.HasPrefix(control, "private, ") || string(whole.Body) != words {
			t.Errorf("%s: %q, %q", what, control, whole.Body)
		}
		part := get("Range", "bytes=3-5")
		if part.Status != http.StatusPartialContent || string(part.Body) != "345" || part.Header.Get("Content-Range") != "bytes 3-5/10" {
			t.Errorf("%s: a part: %d %v %q", what, part.Status, part.Header, part.Body)
		}
		if end := get("Range", "bytes=-2"); string(end.Body) != "89" {
			t.Errorf("%s: the end: %d %q", what, end.Status, end.Body)
		}
		if beyond := get("Range", "bytes=10-"); beyond.Status != http.StatusRequestedRangeNotSatisfiable || beyond.Header.Get("Content-Range") != "bytes */10" {
			t.Errorf("%s: beyond the end: %d %v", what, beyond.Status, beyond.Header)
		}
	}
	if known := server.REST("GET", file.URL, auth.Identity{}, nil, "If-None-Match", `"`+digestOf([]byte(words))+`"`); known.Status != http.StatusNotModified {
		t.Errorf("what a browser has: %d", known.Status)
	}
}

// What attackers and careless people upload is kept safely, or refused.
func TestHostileAttachments(t *testing.T) {
	server := harness.Start(t, func(c *config.Config) { c.AttachmentSize = 200_000 })
	amy := harness.Person("amy", roles.Vendor, "")
	page := "<!DOCTYPE html><html><script>alert(1)</script></html>"
	for what, test := range map[string]struct{ name, content, kept, media string }{
		"an SVG with a script":  {"a.svg", `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`, "a.svg", "image/svg+xml"},
		"a page named .jpg":     {"cat.jpg", page, "cat.jpg", "text/html"},
		"folders":               {"../../etc/passwd", "words", "passwd", "text/plain"},
		"a Windows path":        {`C:\a\b.txt`, "words", "b.txt", "text/plain"},
		"NUL":                   {"a\x00b.txt", "words", "ab.txt", "text/plain"},
		"300 bytes":             {strings.Repeat("n", 296) + ".txt", "words", strings.Repeat("n", 196) + ".txt", "text/plain"},
		"a device":              {"CON.txt", "words", "_CON.txt", "text/plain"},
		"backwards":             {"cod\u202efdp.exe", "MZ\x90\x00\x03\x00", "codfdp.exe", ""},
		"no name":               {"", "words", "file", "text/plain"},
		"a header in the name":  {"a\r\nSet-Cookie: b=c\r\n.txt", "words", "aSet-Cookie_ b=c.txt", "text/plain"},
		"quotes in the name":    {`a";x="b.txt`, "words", "a_;x=_b.txt", "text/plain"},
		"a long row of accents": {"Z" + strings.Repeat("\u0337", 300) + ".txt", "words", "Z" + strings.Repeat("\u0337", 4) + ".txt", "text/plain"},
	} {
		kept := upload(t, server, amy, test.name, test.content)
		if kept.FileName != test.kept || test.media != "" && kept.MimeType != test.media {
			t.Errorf("%s: kept as %q, %s", what, kept.FileName, kept.MimeType)
		}
		got := server.REST("GET", kept.URL, auth.Identity{}, nil)
		media, disposition := got.Header.Get("Content-Type"), got.Header.Get("Content-Disposition")
		if string(got.Body) != test.content || media != "application/octet-stream" && media != "text/plain; charset=utf-8" ||
			!strings.HasPrefix(disposition, "attachment; ") || got.Header.Get("Set-Cookie") != "" || got.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: served as %s, %s", what, media, disposition)
		}
	}

	large := image.NewPaletted(image.Rect(0, 0, 10_000, 5_000), color.Palette{color.Black, color.White})
	var bomb bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&bomb, large); err != nil {
		t.Fatal(err)
	}
	kept := upload(t, server, amy, "bomb.png", bomb.String())
	if kept.Thumbnail != nil || kept.Width != 10_000 {
		t.Errorf("a picture of 50 megapixels in %d bytes: %+v", bomb.Len(), kept)
	}
	for what, test := range map[string]struct {
		content string
		status  int
		code    string
	}{
		"nothing":                {"", http.StatusUnprocessableEntity, "invalid_payload"},
		"too much":               {strings.Repeat("x", 200_001), http.StatusRequestEntityTooLarge, "too_large"},
		"half a picture":         {photo(t, 100, 100)[:40], http.StatusUnprocessableEntity, "invalid_payload"},
		"a beginning of a PNG":   {"\x89PNG\r\n\x1a\n" + strings.Repeat("\xff", 100), http.StatusUnprocessableEntity, "invalid_payload"},
		"what may tell of place": {"MM\x00*\x00\x00\x00\x08" + strings.Repeat("\x00", 100), http.StatusUnprocessableEntity, "invalid_payload"},
	} {
		got := tryUpload(server, amy, "x", test.content)
		if problem := harness.Decode[struct{ Code, Field string }](t, got.Body); got.Status != test.status || problem.Code != test.code || problem.Field != "file" {
			t.Errorf("%s: %d %s", what, got.Status, got.Body)
		}
	}
}

// Forms as pages send them, the same sent again, and types that are not taken.
func TestUploads(t *testing.T) {
	server := harness.Start(t, func(c *config.Config) { c.AttachmentTypes = []string{"text/*", "image/png"} })
	amy := harness.Person("amy", roles.Vendor, "")
	form := func(parts ...string) harness.Answer {
		body := ""
		for _, part := range parts {
			body += "--b\r\nContent-Disposition: form-data; " + part + "\r\n"
		}
		return server.REST("POST", harness.Path("attachments"), amy, body+"--b--\r\n", "Content-Type", "multipart/form-data; boundary=b")
	}
	const file = `name="file"; filename="übersicht.txt"` + "\r\nContent-Type: text/html\r\n\r\nwords"
	got := form(file)
	if kept := harness.Decode[attachment](t, got.Body); got.Status != http.StatusCreated || kept.FileName != "übersicht.txt" || kept.Size != 5 ||
		got.Header.Get("Location") != harness.Path("attachments", kept.AttachmentID) {
		t.Errorf("a form: %d %v %s", got.Status, got.Header, got.Body)
	}
	for what, got := range map[string]harness.Answer{
		"two files":       form(file, file),
		"another part":    form(`name="name"`+"\r\n\r\na", file),
		"a part behind":   form(file, `name="name"`+"\r\n\r\na"),
		"a type not here": tryUpload(server, amy, "a.pdf", "%PDF-1.7"),
		"a picture":       tryUpload(server, amy, "a.jpg", photo(t, 10, 10)),
	} {
		if problem := harness.Decode[struct{ Code, Field string }](t, got.Body); got.Status != http.StatusUnprocessableEntity || problem.Field != "file" {
			t.Errorf("%s: %d %s", what, got.Status, got.Body)
		}
	}
	if got := form(); got.Status != http.StatusBadRequest {
		t.Errorf("an empty form: %d %s", got.Status, got.Body)
	}
	first := upload(t, server, amy, "a.txt", "words", "Idempotency-Key", "k1")
	again := tryUpload(server, amy, "a.txt", "words", "Idempotency-Key", "k1")
	if same := harness.Decode[attachment](t, again.Body); again.Status != http.StatusOK || same.AttachmentID != first.AttachmentID {
		t.Errorf("sent again: %d %s", again.Status, again.Body)
	}
	if other := tryUpload(server, amy, "a.txt", "other words", "Idempotency-Key", "k1"); other.Status != http.StatusConflict {
		t.Errorf("another file under the same key: %d %s", other.Status, other.Body)
	}
}

func sayFile(t *testing.T, socket *harness.Socket, payload map[string]any, content string) receipt {
	t.Helper()
	ack := socket.AskWith("chat:file", payload, []byte(content))
	if ack.Status != "ok" {
		t.Fatalf("chat:file was refused: %s", ack.Raw)
	}
	return harness.Decode[receipt](t, ack.Raw)
}

// chat:file is the short way, and the file is kept across a restart.
func TestFileOverSocket(t *testing.T) {
	server := harness.Start(t, nil)
	amy, bob := harness.Person("amy", roles.Vendor, ""), harness.Person("bob", roles.Vendor, "")
	amys, bobs := server.Dial(amy, "/"), server.Dial(bob, "/")
	file := map[string]any{
		"roomId": "dm:amy:bob", "fileName": "slip.txt", "mimeType": "image/png", "clientId": "f1", "file": sioclient.Placeholder(0),
	}
	say := func() receipt { return sayFile(t, amys, file, "what it is") }
	sent := say()
	heard := harness.Heard[attachedMessage](bobs, "chat:message")
	if heard.ID != sent.MessageID || heard.Attachment == nil || heard.Attachment.MimeType != "text/plain" || heard.Attachment.FileName != "slip.txt" {
		t.Fatalf("told: %+v", heard)
	}
	if again := say(); again.MessageID != sent.MessageID {
		t.Errorf("sent again: %+v", again)
	}
	server.Restart()
	got := server.REST("GET", heard.Attachment.URL, auth.Identity{}, nil)
	if got.Status != http.StatusOK || string(got.Body) != "what it is" {
		t.Errorf("after a restart: %d %q", got.Status, got.Body)
	}
}

// What nobody sends, and what is left of uploads and messages, is collected.
func TestAttachmentsAreCollected(t *testing.T) {
	folder := t.TempDir()
	server := harness.Start(t, func(c *config.Config) { c.AttachmentUnsent, c.BlobURL = 500*time.Millisecond, "file://"+folder })
	amy, bob := harness.Person("amy", roles.Vendor, ""), harness.Person("bob", roles.Vendor, "")
	amys, _ := server.Dial(amy, "/"), server.Dial(bob, "/")
	say := func(content string) receipt {
		return sayFile(t, amys, map[string]any{
			"roomId": "dm:amy:bob", "fileName": "a", "mimeType": "text/plain", "file": sioclient.Placeholder(0),
		}, content)
	}
	say("stays")
	gone := say("goes")
	upload(t, server, amy, "unsent.jpg", photo(t, 600, 600))
	stray := filepath.Join(folder, "60", "0197a3c0-5d1e-7c3a-9f10-3f6b1c2d4e60.17f.tmp")
	foreign := filepath.Join(folder, "notes.txt")
	for _, path := range []string{stray, foreign} {
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("left"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	harness.Must[amended](amys, "chat:delete", map[string]any{"roomId": gone.RoomID, "messageId": gone.MessageID})
	server.Eventually("only the file of the message that is there stays, and what is none of the server's", func() bool {
		var left []string
		_ = filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
			if err == nil && !entry.IsDir() {
				left = append(left, path)
			}
			return nil
		})
		return len(left) == 2
	})
	if _, err := os.Stat(foreign); err != nil {
		t.Errorf("what is none of the server's: %v", err)
	}
	history := harness.Decode[struct {
		Items []attachedMessage `json:"items"`
	}](t, server.REST("GET", harness.Path("rooms", gone.RoomID, "messages"), bob, nil).Body)
	if got := server.REST("GET", history.Items[0].Attachment.URL, auth.Identity{}, nil); string(got.Body) != "stays" {
		t.Errorf("what stays: %d %q", got.Status, got.Body)
	}
}
