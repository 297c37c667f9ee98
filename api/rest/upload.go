package rest

import (
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"reflect"
	"strings"
	"time"

	"rolecall/internal/access"
	"rolecall/internal/auth"
	"rolecall/internal/fault"
)

// File is a file that is sent, read as it comes. Its errors are faults that the client may be told.
type File struct {
	io.Reader
	// Name is what a form calls it, "" where it is not sent in one.
	Name string
	// Length is how many bytes the body has at most that it comes in, -1 where that is not known.
	Length int64
}

// formMedia is how pages send files.
const formMedia = "multipart/form-data"

// OnUpload is On for a route whose body is a file: as it is, of whatever type, or the only part of a form. In is read from the
// query and from the header Idempotency-Key.
func OnUpload[In, Out any](
	r *Router, route string, rule access.Rule, handle func(ctx context.Context, who auth.Identity, in In, file File) (Out, error),
) {
	rule.MustBeDeclared(route, *new(In))
	method, pattern, _ := strings.Cut(route, " ")
	form := formOf[In](http.MethodGet, pattern)
	delete(form.query, keyMember)
	handler := endpoint{Router: r, route: route, rule: rule, form: form, run: func(w http.ResponseWriter, req *http.Request, who auth.Identity) (any, error) {
		raw, err := form.payload(w, req, 0)
		if err != nil {
			return nil, err
		}
		var in In
		if err := r.options.Decoder.Decode(raw, &in); err != nil {
			return nil, err
		}
		file, err := r.fileOf(w, req, rule)
		if err != nil {
			return nil, err
		}
		return handle(req.Context(), who, in, file)
	}}
	r.routes = append(r.routes, Route{
		Method: method, Pattern: pattern, Rule: rule, HasBody: true, Parameters: form.parameters(), Payload: reflect.TypeFor[In](), handler: handler,
	})
}

// fileOf is the file in a request.
func (r *Router) fileOf(w http.ResponseWriter, req *http.Request, rule access.Rule) (File, error) {
	if encoding := req.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return File{}, refusal{http.StatusUnsupportedMediaType, fault.Invalid("Content-Encoding", "The body must not be compressed")}
	}
	most := rule.MaxBytes()
	body := &stream{
		w: w, connection: http.NewResponseController(w), body: http.MaxBytesReader(w, req.Body, int64(most)), most: most,
		stall: r.stall(), end: time.Now().Add(rule.Timeout()),
	}
	media, parameters, err := mime.ParseMediaType(req.Header.Get("Content-Type"))
	isForm := err == nil && strings.HasPrefix(media, "multipart/")
	switch {
	case !isForm:
		return File{Reader: body, Length: req.ContentLength}, nil
	case media != formMedia || parameters["boundary"] == "":
		return File{}, refusal{http.StatusUnsupportedMediaType, fault.Invalid("Content-Type", "A form with a file must be sent as "+formMedia)}
	}
	parts := multipart.NewReader(body, parameters["boundary"])
	part, err := parts.NextPart()
	if err != nil {
		return File{}, formFault(err)
	}
	if part.FormName() != "file" {
		return File{}, notOneFile()
	}
	return File{Reader: &onlyPart{parts, part}, Name: part.FileName(), Length: req.ContentLength}, nil
}

// onlyPart is a part of a form behind which nothing may follow.
type onlyPart struct {
	parts *multipart.Reader
	part  *multipart.Part
}

// Read implements io.Reader.
func (o *onlyPart) Read(into []byte) (int, error) {
	n, err := o.part.Read(into)
	if err == nil {
		return n, nil
	}
	if !errors.Is(err, io.EOF) {
		return n, formFault(err)
	}
	if _, err := o.parts.NextPart(); err == nil {
		return n, notOneFile()
	} else if !errors.Is(err, io.EOF) {
		return n, formFault(err)
	}
	return n, io.EOF
}

func notOneFile() error {
	return fault.Invalid("file", "The form must have one part, file, which is a file")
}

// formFault is what a client is told whose form could not be read.
func formFault(err error) error {
	var known *fault.Error
	if errors.As(err, &known) { // of the body
		return err
	}
	return refusal{http.StatusBadRequest, fault.Invalid("", "The body is no form with a file")}
}

// Served is an answer that is no document.
type Served interface {
	// Serve answers the request.
	Serve(w http.ResponseWriter, r *http.Request)
}
