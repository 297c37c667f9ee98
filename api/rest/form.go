package rest

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"rolecall/internal/fault"
	"rolecall/internal/payload"
)

const (
	// keyHeader is the header for the member keyMember, by which a request that makes something is recognised when it is
	// sent again.
	keyHeader = "Idempotency-Key"
	keyMember = "clientId"
)

// form says how the payload of a route is put together from a request.
type form struct {
	// path holds the names of the path's variables.
	path []string
	// query are the members that the query may have.
	query map[string]member
	// hasBody: the other members are read from a body.
	hasBody bool
	// mayLackBody: a request without one is complete.
	mayLackBody bool
	// hasKey: the payload has the member keyMember.
	hasKey bool
}

// Bodiless is a payload whose members of the body may all be left out, and the body with them.
type Bodiless interface{ MayLackBody() }

// member is how the text of a parameter becomes JSON.
type member struct {
	// isBare: a number, true and false stand for themselves; otherwise the text is a JSON string, whatever it looks like.
	isBare bool
}

// formOf is the form of a route whose payload is an In.
func formOf[In any](method, pattern string) form {
	kind := reflect.TypeFor[In]()
	f := form{query: make(map[string]member)}
	members := make(map[string][]int)
	if kind.Kind() == reflect.Struct && !readsItself(kind) {
		members = payload.Members(kind)
	}
	_, f.hasKey = members[keyMember]
	_, f.mayLackBody = reflect.New(kind).Interface().(Bodiless)
	for _, variable := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(pattern, -1) {
		name := variable[1]
		if _, known := members[name]; !known {
			panic("rest: " + kind.String() + " has no " + name + " for the path " + pattern)
		}
		f.path = append(f.path, name)
		delete(members, name)
	}
	switch method {
	case http.MethodPost, http.MethodPut, http.MethodPatch:
		f.hasBody = readsItself(kind) || len(members) > 0
	default:
		for name, index := range members {
			f.query[name] = memberOf(kind.FieldByIndex(index).Type)
		}
	}
	return f
}

// readsItself reports whether values of the type read themselves from JSON.
func readsItself(kind reflect.Type) bool {
	return reflect.PointerTo(kind).Implements(reflect.TypeFor[json.UnmarshalerFrom]())
}

// memberOf panics for a type that no parameter can be read into.
func memberOf(kind reflect.Type) member {
	for kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	if kind.Kind() == reflect.String {
		return member{}
	}
	if readsItself(kind) {
		return member{isBare: true}
	}
	switch kind.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float32, reflect.Float64:
		return member{isBare: true}
	default:
		panic("rest: a parameter cannot be a " + kind.String())
	}
}

// parameters lists the names that the query may have.
func (f form) parameters() []string { return slices.Sorted(maps.Keys(f.query)) }

// payload puts a request together. A name that comes from two places is in the payload twice, which its decoder refuses.
func (f form) payload(w http.ResponseWriter, r *http.Request, maxBody int) ([]byte, error) {
	object, err := f.addPath([]byte{'{'}, r)
	if err == nil {
		object, err = f.addQuery(object, r)
	}
	if key := r.Header.Get(keyHeader); err == nil && f.hasKey && key != "" {
		object, err = member{}.add(object, keyMember, key)
	}
	if err != nil || !f.hasBody || f.mayLackBody && r.ContentLength == 0 {
		return append(object, '}'), err
	}
	body, err := readBody(w, r, maxBody)
	if err != nil {
		return nil, err
	}
	return merge(object, body), nil
}

// addPath adds the path's variables. A path with escapes is routed as it was sent, so its parts are still escaped.
func (f form) addPath(object []byte, r *http.Request) ([]byte, error) {
	var err error
	for _, name := range f.path {
		value := chi.URLParam(r, name)
		if unescaped, err := url.PathUnescape(value); err == nil && r.URL.RawPath != "" {
			value = unescaped
		}
		if object, err = (member{}).add(object, name, value); err != nil {
			return nil, err
		}
	}
	return object, err
}

// addQuery adds the query's parameters; one without a value counts as absent.
func (f form) addQuery(object []byte, r *http.Request) ([]byte, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, unknown(fault.Invalid("", "The query is malformed"))
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		member, known := f.query[name]
		if !known {
			return nil, unknown(fault.Invalid(name, "There is no parameter of this name"))
		}
		for _, value := range values[name] {
			if value == "" {
				continue
			}
			if object, err = member.add(object, name, value); err != nil {
				return nil, err
			}
		}
	}
	return object, nil
}

// add adds a member to an object that is still open.
func (m member) add(object []byte, name, text string) ([]byte, error) {
	if len(object) > 1 {
		object = append(object, ',')
	}
	object, err := jsontext.AppendQuote(object, name)
	if err != nil {
		return nil, fault.Down(err)
	}
	object = append(object, ':')
	if m.isBare && standsForItself(text) {
		return append(object, text...), nil
	}
	if object, err = jsontext.AppendQuote(object, text); err != nil {
		return nil, fault.Invalid(name, name+" is not valid UTF-8")
	}
	return object, nil
}

// standsForItself reports whether text is a number, true or false, without space around it.
func standsForItself(text string) bool {
	token, err := jsontext.NewDecoder(strings.NewReader(text)).ReadToken()
	if err != nil || token.String() != text {
		return false
	}
	return token.Kind() == jsontext.KindNumber || token.Kind() == jsontext.KindTrue || token.Kind() == jsontext.KindFalse
}

// merge closes an object with the members of a body behind its own. A body that is none is left as it is, for the decoder
// to refuse.
func merge(object, body []byte) []byte {
	members := bytes.TrimLeft(body, " \t\r\n")
	if len(object) == 1 || len(members) == 0 || members[0] != '{' {
		return body
	}
	members = bytes.TrimLeft(members[1:], " \t\r\n")
	if len(members) == 0 || members[0] != '}' {
		object = append(object, ',')
	}
	return append(object, members...)
}

// readBody reads a body of JSON.
func readBody(w http.ResponseWriter, r *http.Request, most int) ([]byte, error) {
	if _, err := mediaOf(r.Header, "application/json"); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(most)))
	if err != nil {
		return nil, bodyFault(w, err, most)
	}
	return body, nil
}

// named names a fault as the sender of the request does, who has put some members of the payload beside the body.
func (f form) named(err error, r *http.Request) error {
	var known *fault.Error
	if !errors.As(err, &known) {
		return err
	}
	twice := errors.As(err, new(payload.Repeated))
	renamed := *known
	switch {
	case known.Field == keyMember && f.hasKey && r.Header.Get(keyHeader) != "":
		if renamed.Field = keyHeader; twice {
			renamed.Message = "The header " + keyHeader + " stands for " + keyMember + ", which must not be given beside it"
		}
	case twice && slices.Contains(f.path, known.Field):
		renamed.Message = known.Field + " stands in the path, and must not be given beside it"
	default:
		return err
	}
	return &renamed
}
