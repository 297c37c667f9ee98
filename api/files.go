package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"rolecall/internal/fault"
	"rolecall/internal/services/attachments"
)

// served is the content of an attachment as an answer.
type served struct {
	api  *API
	file attachments.File
}

// Serve implements rest.Served: whatever people have sent, no browser runs it here.
func (s served) Serve(w http.ResponseWriter, r *http.Request) {
	content := &content{ctx: r.Context(), file: s.file}
	defer content.close()
	if r.Method == http.MethodGet && r.Header.Get("Range") == "" {
		if err := content.open(); err != nil { // while it can be said
			s.api.problems.Write(w, r, attachments.Missing(err))
			return
		}
	}
	media, isShown := shownAs(s.file.MimeType)
	disposition := "attachment"
	if isShown {
		disposition = "inline"
	}
	header := w.Header()
	header.Set("Content-Type", media)
	header.Set("Content-Disposition", disposition+named(s.file.FileName))
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Security-Policy", "default-src 'none'; sandbox; frame-ancestors 'none'")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("ETag", `"`+s.file.Tag+`"`)
	for _, old := range []string{"Expires", "Pragma", "X-Accel-Expires"} { // of what is never kept
		header.Del(old)
	}
	if s.file.Expires == 0 {
		header.Set("Cache-Control", "private, no-store")
	} else {
		left := max(time.Until(time.UnixMilli(s.file.Expires)), 0)
		header.Set("Cache-Control", fmt.Sprintf("private, max-age=%d, immutable", int(left.Seconds())))
		header.Set("Cross-Origin-Resource-Policy", "cross-origin") // pages of apps show it
	}
	http.ServeContent(&patient{ResponseWriter: w, connection: http.NewResponseController(w), noSuchPart: func() {
		s.api.problems.WriteStatus(w, http.StatusRequestedRangeNotSatisfiable, fault.Invalid("Range", "The file has no such part"))
	}}, r, "", time.Time{}, content)
	if content.failed != nil {
		s.api.Logger.ErrorContext(r.Context(), "file of an attachment not read", "path", r.URL.Path, "error", content.failed)
		panic(http.ErrAbortHandler) // so that nobody takes the part that was sent for the whole
	}
}

// shownAs is the type by which a file is served, and whether browsers may show it where it is: pictures, sounds and films, which
// they do not run. All else is for saving.
func shownAs(media string) (as string, isShown bool) {
	shown := []string{
		"image/jpeg", "image/png", "image/gif", "image/webp", "image/bmp", "image/x-icon",
		"audio/mpeg", "audio/ogg", "audio/wav", "audio/flac", "audio/aac", "audio/mp4", "audio/x-m4a", "audio/webm",
		"video/mp4", "video/webm", "video/ogg", "video/quicktime",
	}
	switch {
	case slices.Contains(shown, media):
		return media, true
	case media == "application/pdf":
		return media, false
	case media == "text/plain":
		return media + "; charset=utf-8", false
	default:
		return "application/octet-stream", false
	}
}

// named gives a Content-Disposition the name of a file (RFC 6266): in ASCII, and for those who understand it as it is (RFC 8187).
func named(name string) string {
	plain := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' || r == '%' {
			return '_'
		}
		return r
	}, name)
	parameters := `; filename="` + plain + `"`
	if plain != name {
		parameters += `; filename*=UTF-8''` + strings.ReplaceAll(url.QueryEscape(name), "+", "%20")
	}
	return parameters
}

// content reads a file from wherever it is asked for.
type content struct {
	ctx  context.Context //nolint:containedctx // of the one request
	file attachments.File
	at   int64
	body io.ReadCloser // from at on, nil where it is not open
	// failed is why it could not be read.
	failed error
}

func (c *content) open() error {
	body, err := c.file.Open(c.ctx, c.at, -1)
	c.body = body
	return err
}

func (c *content) close() {
	if c.body != nil {
		_ = c.body.Close() // it was read, or is not to be
		c.body = nil
	}
}

// Read implements io.Reader.
func (c *content) Read(into []byte) (int, error) {
	if c.body == nil {
		if err := c.open(); err != nil {
			c.note(err)
			return 0, err
		}
	}
	n, err := c.body.Read(into)
	c.at += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		c.note(err)
	}
	return n, err
}

func (c *content) note(err error) {
	if c.ctx.Err() == nil {
		c.failed = cmp.Or(c.failed, err)
	}
}

// Seek implements io.Seeker.
func (c *content) Seek(offset int64, whence int) (int64, error) {
	at := offset
	switch whence {
	case io.SeekCurrent:
		at += c.at
	case io.SeekEnd:
		at += c.file.Size
	}
	if at < 0 {
		return 0, errors.New("a place before the beginning")
	}
	if at != c.at {
		c.close()
		c.at = at
	}
	return at, nil
}

// patient lets an answer take as long as it is read.
type patient struct {
	http.ResponseWriter
	connection *http.ResponseController
	// noSuchPart answers instead of what the library says of a range; what it says beside is dropped.
	noSuchPart func()
	answered   bool
}

// WriteHeader implements http.ResponseWriter.
func (p *patient) WriteHeader(status int) {
	if status == http.StatusRequestedRangeNotSatisfiable {
		p.answered = true
		p.noSuchPart()
		return
	}
	p.ResponseWriter.WriteHeader(status)
}

// readWithin is how long the next part of an answer may take to be read.
const readWithin = 30 * time.Second

// Write implements io.Writer.
func (p *patient) Write(bytes []byte) (int, error) {
	if p.answered {
		return len(bytes), nil
	}
	_ = p.connection.SetWriteDeadline(time.Now().Add(readWithin)) // what a connection cannot do it need not do
	return p.ResponseWriter.Write(bytes)
}
