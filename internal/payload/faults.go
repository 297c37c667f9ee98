package payload

import (
	"errors"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/go-playground/validator/v10"

	"rolecall/internal/fault"
	"rolecall/internal/roles"
)

// Malformed is the fault of a payload that is no JSON at all, which no other value in it could make right.
type Malformed struct{ fault *fault.Error }

// Repeated is the fault of a payload that has a member twice.
type Repeated struct{ fault *fault.Error }

// Error implements error.
func (r Repeated) Error() string { return r.fault.Error() }

// Unwrap returns the fault, a *fault.Error.
func (r Repeated) Unwrap() error { return r.fault }

// NewMalformed returns the fault of what is read in another way than by a Decoder.
func NewMalformed(message string) Malformed { return Malformed{fault.Invalid("", message)} }

// Error implements error.
func (m Malformed) Error() string { return m.fault.Error() }

// Unwrap returns the fault.
func (m Malformed) Unwrap() error { return m.fault }

// maxPath bounds a path in bytes, as a client's own names, of any length, may stand in it.
const maxPath = 256

// pathOf writes a JSON pointer (RFC 6901) as the wire contract does: /legs/0/role is legs[0].role. A name of digits alone
// is taken for an index.
func pathOf(pointer jsontext.Pointer) string {
	var path strings.Builder
	for token := range pointer.Tokens() {
		switch {
		case token != "" && strings.Trim(token, "0123456789") == "":
			path.WriteString("[" + token + "]")
		case path.Len() > 0:
			path.WriteString("." + token)
		default:
			path.WriteString(token)
		}
		if path.Len() > maxPath {
			return strings.ToValidUTF8(path.String()[:maxPath], "") + "…"
		}
	}
	return path.String()
}

// jsonFault is what a client is told of an error of decoding raw. What is no JSON is said to be none, whatever was found
// in it before.
func jsonFault(raw []byte, err error) error {
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) || errors.As(json.Unmarshal(raw, new(jsontext.Value)), &syntax) {
		return syntaxFault(raw, syntax)
	}
	var known *fault.Error
	var wrong fault.Wrong
	var meaning *json.SemanticError
	switch {
	case errors.As(err, &known):
		return known
	case !errors.As(err, &meaning):
		return fault.Down(err)
	case errors.As(err, &wrong):
		return wrong.At(pathOf(meaning.JSONPointer))
	case meaning.JSONPointer == "":
		return fault.Invalid("", "The payload must be "+article(meaning.GoType)+", not "+kindName(meaning.JSONKind))
	default:
		return fault.Wrong("must be " + article(meaning.GoType)).At(pathOf(meaning.JSONPointer))
	}
}

func syntaxFault(raw []byte, wrong *jsontext.SyntacticError) error {
	path := pathOf(wrong.JSONPointer)
	at := min(max(int(wrong.ByteOffset), 0), len(raw))
	switch {
	case errors.Is(wrong, jsontext.ErrDuplicateName):
		return Repeated{fault.Invalid(path, path+" is given twice")}
	case !utf8.Valid(raw):
		return Malformed{fault.Invalid(path, "The payload is not valid UTF-8")}
	case isSurrogate(raw[at:]):
		return Malformed{fault.Invalid(path, "The payload has half of a surrogate pair, which is no character")}
	case jsontext.Value(raw[:at]).IsValid():
		return Malformed{fault.Invalid("", "There is something behind the payload's JSON")}
	default:
		return Malformed{fault.Invalid("", "The payload is not valid JSON")}
	}
}

// isSurrogate reports whether text begins with the escape of one half of a surrogate pair (RFC 8259, section 8.2).
func isSurrogate(text []byte) bool {
	if len(text) < len(`\ud800`) || string(text[:2]) != `\u` {
		return false
	}
	unit, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	return err == nil && utf16.IsSurrogate(rune(unit))
}

func kindName(kind jsontext.Kind) string {
	switch kind {
	case jsontext.KindBeginObject:
		return "object"
	case jsontext.KindBeginArray:
		return "array"
	case jsontext.KindTrue, jsontext.KindFalse:
		return "bool"
	default:
		return kind.String()
	}
}
func article(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number, not negative"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice, reflect.Array:
		return "an array"
	default:
		return "an object"
	}
}

// embedded stands in the validator's paths for an embedded struct, whose members are those of the struct around it.
const embedded = "<embedded>"

func ruleFault(wrong validator.FieldError) error {
	_, path, _ := strings.Cut(wrong.Namespace(), ".")
	path = strings.ReplaceAll(path, embedded+".", "")
	switch wrong.Tag() {
	case "required":
		if wrong.Kind() == reflect.String {
			return fault.Invalid(path, path+" is missing or empty")
		}
		return fault.Invalid(path, path+" is missing")
	case "required_without":
		return fault.Invalid(path, "Either "+path+" or "+strings.ToLower(wrong.Param())+" is needed")
	case "excluded_with":
		return fault.Invalid(path, "Only one of "+path+" and "+strings.ToLower(wrong.Param())+" can be given")
	case "max", "min":
		return boundFault(wrong, path)
	case "oneof":
		return fault.Invalid(path, path+" must be one of: "+wrong.Param())
	case "unique":
		return fault.Invalid(path, path+" repeats a value")
	case "userid":
		return fault.Invalid(path, path+" must be "+roles.UserIDForm)
	default:
		return fault.Invalid(path, path+" is not valid")
	}
}

// boundFault says what is too much or too little: characters of a string, entries of a list, or the number itself.
func boundFault(wrong validator.FieldError, path string) error {
	isMax := wrong.Tag() == "max"
	switch kind := wrong.Kind(); {
	case kind == reflect.String && isMax:
		tooLong := fault.Newf(fault.TooLarge, "%s is longer than %s characters", path, wrong.Param())
		tooLong.Field = path
		return tooLong
	case kind == reflect.Slice && isMax:
		return fault.Invalid(path, path+" has more than "+wrong.Param()+" entries")
	case kind == reflect.Slice && wrong.Param() == "1":
		return fault.Invalid(path, path+" is empty")
	case kind == reflect.Slice:
		return fault.Invalid(path, path+" has fewer than "+wrong.Param()+" entries")
	case isMax:
		return fault.Invalid(path, path+" is larger than "+wrong.Param())
	default:
		return fault.Invalid(path, path+" is smaller than "+wrong.Param())
	}
}
