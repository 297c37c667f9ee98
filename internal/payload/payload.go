// Package payload turns what a client sent into a typed, validated value, or into a fault that names the field.
// Both doors, sockets and REST, decode through it.
package payload

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/go-playground/validator/v10"

	"rolecall/internal/fault"
	"rolecall/internal/roles"
)

// Decoder decodes and validates. It is safe for use by many goroutines.
type Decoder struct {
	validate *validator.Validate
	// names caches memberNames by type; it grows no further than there are payload types.
	names sync.Map
}

// NewDecoder returns a Decoder that knows the product's own validation tag, userid.
func NewDecoder() (*Decoder, error) {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(func(field reflect.StructField) string {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		return name
	})
	err := v.RegisterValidation("userid", func(field validator.FieldLevel) bool {
		return roles.ValidUserID(field.Field().String())
	})
	if err != nil {
		return nil, fmt.Errorf("register validation: %w", err)
	}
	return &Decoder{validate: v}, nil
}

// Decode fills target, a pointer to a struct or to a type that decodes itself, from JSON. The fault's field is the
// path of the member at fault, for example audience.companyRoles[0].role.
func (d *Decoder) Decode(raw []byte, target any) error {
	if len(raw) == 0 {
		return fault.Invalid("", "The payload is missing")
	}
	if !utf8.Valid(raw) {
		return fault.Invalid("", "The payload is not valid UTF-8")
	}
	if halfCharacter(raw) {
		return fault.Invalid("", "The payload has half of a surrogate pair, which is no character")
	}
	if err := d.checkNames(raw, target); err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if err := decoder.Decode(target); err != nil {
		return jsonFault(raw, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return fault.Invalid("", "There is something behind the payload's JSON")
	}
	return d.Validate(target)
}

// Validate holds a decoded value against its validate tags.
func (d *Decoder) Validate(target any) error {
	kind := reflect.Indirect(reflect.ValueOf(target))
	if kind.Kind() != reflect.Struct {
		return nil
	}
	err := d.validate.Struct(target)
	var wrong validator.ValidationErrors
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrong) && len(wrong) > 0:
		return ruleFault(wrong[0])
	default:
		return fault.Down(fmt.Errorf("validate %T: %w", target, err))
	}
}

func jsonFault(raw []byte, err error) error {
	var known *fault.Error
	if errors.As(err, &known) {
		return known
	}
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		path := typePath(raw, wrongType)
		if path == "" {
			return fault.Invalid("", "The payload must be "+article(wrongType.Type)+", not "+wrongType.Value)
		}
		return fault.Invalid(path, path+" must be "+article(wrongType.Type))
	}
	return fault.Invalid("", "The payload is not valid JSON")
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

func ruleFault(wrong validator.FieldError) error {
	_, path, _ := strings.Cut(wrong.Namespace(), ".")
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
		return fault.Invalid(path, path+" must be 1 to 64 of A-Z a-z 0-9 _ -")
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
