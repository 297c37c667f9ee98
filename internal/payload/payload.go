// Package payload turns what a client sent into a typed, validated value, or into a fault that names the field.
// Both doors, sockets and REST, decode through it.
package payload

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-playground/validator/v10"

	"rolecall/internal/fault"
	"rolecall/internal/roles"
)

// Decoder decodes and validates. It is safe for use by many goroutines.
type Decoder struct {
	validate *validator.Validate
	options  json.Options
	// members caches membersOf by type; it grows no further than there are payload types.
	members sync.Map
}

// NewDecoder returns a Decoder that knows the product's own validation tag, userid.
func NewDecoder() (*Decoder, error) {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(func(field reflect.StructField) string {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" && field.Anonymous {
			return embedded
		}
		return name
	})
	err := v.RegisterValidation("userid", func(field validator.FieldLevel) bool {
		return roles.ValidUserID(field.Field().String())
	})
	if err != nil {
		return nil, fmt.Errorf("register validation: %w", err)
	}
	d := &Decoder{validate: v}
	d.options = json.WithUnmarshalers(json.UnmarshalFromFunc(d.unmarshal))
	return d, nil
}

// Decode fills target, a pointer to a struct or to a type that decodes itself, from JSON. The JSON has to be what every
// reader understands alike (RFC 7493): names once in an object, no bad UTF-8, no half of a surrogate pair, however deep.
// The fault's field is the path of the member at fault, for example audience.companyRoles[0].role.
//
// A payload that is Worded has its own sentences for some faults.
//
// A type decodes itself by the method UnmarshalJSONFrom. It leaves what it can to json.UnmarshalDecode, and says what is
// wrong with a value by a fault.Wrong, whose place is then named here.
func (d *Decoder) Decode(raw []byte, target any) error {
	err := d.decode(raw, target)
	worded, ok := target.(Worded)
	known := (*fault.Error)(nil)
	if !ok || err == nil || !errors.As(err, &known) {
		return err
	}
	if errors.As(err, new(Malformed)) {
		return Malformed{worded.Word(known)}
	}
	if errors.As(err, new(Repeated)) {
		return Repeated{worded.Word(known)}
	}
	return worded.Word(known)
}

// Worded is a payload that has sentences of its own for some of its faults.
type Worded interface {
	// Word returns the fault with the sentence that clients are told. It may be called on a value that is half decoded.
	Word(wrong *fault.Error) *fault.Error
}

func (d *Decoder) decode(raw []byte, target any) error {
	if len(raw) == 0 {
		return Malformed{fault.Invalid("", "The payload is missing")}
	}
	if err := json.Unmarshal(raw, target, d.options); err != nil {
		return jsonFault(raw, err)
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
