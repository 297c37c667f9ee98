package contracttest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"rolecall/api"
)

// documentName is what the compiler calls asyncapi.yaml; nothing is loaded from it.
const documentName = "asyncapi.json"

// Events checks events, acks and client payloads against asyncapi.yaml. It is safe for use by many goroutines.
//
// Two names stand for packets and not for events: "connect", whose payload clients send, and "connect_error", whose
// payload a refused client gets.
type Events struct {
	events   map[string]*jsonschema.Schema // by the name of what the server sends
	requests map[string]*jsonschema.Schema // by the name of what clients send
	acks     map[string]*jsonschema.Schema // by the name of what is acknowledged
	packets  map[string]bool
}

// NewEvents loads asyncapi.yaml; a document that is not usable fails the test at once.
func NewEvents(t testing.TB) *Events {
	t.Helper()
	events, err := newEvents(api.AsyncAPIYAML())
	if err != nil {
		t.Fatalf("asyncapi.yaml: %v", err)
	}
	return events
}

// CheckEvent reports an event of the server's that asyncapi.yaml does not know, or whose payload it does not allow.
func (e *Events) CheckEvent(t testing.TB, name string, payload json.RawMessage) {
	t.Helper()
	check(t, e.events, "event", name, payload)
}

// CheckAck reports an ack, of success or failure, that asyncapi.yaml does not allow for a client's event.
func (e *Events) CheckAck(t testing.TB, event string, ack json.RawMessage) {
	t.Helper()
	check(t, e.acks, "ack of", event, ack)
}

// CheckRequestPayload reports a client's event that asyncapi.yaml does not know, or whose payload it does not allow. A
// test uses it to make sure that what it sends as valid is valid.
func (e *Events) CheckRequestPayload(t testing.TB, event string, payload json.RawMessage) {
	t.Helper()
	check(t, e.requests, "client event", event, payload)
}

// ClientEvents returns the names of the events that clients send, sorted.
func (e *Events) ClientEvents() []string { return e.names(e.requests) }

// ServerEvents returns the names of the events that the server sends, sorted.
func (e *Events) ServerEvents() []string { return e.names(e.events) }

func (e *Events) names(schemas map[string]*jsonschema.Schema) []string {
	names := slices.Sorted(maps.Keys(schemas))
	return slices.DeleteFunc(names, func(name string) bool { return e.packets[name] })
}

func check(t testing.TB, schemas map[string]*jsonschema.Schema, kind, name string, payload json.RawMessage) {
	t.Helper()
	if err := validate(schemas[name], payload); err != nil {
		t.Errorf("%s %s, against the contract: %v\npayload: %s", kind, name, err, quote(payload))
	}
}

func validate(schema *jsonschema.Schema, payload []byte) error {
	if schema == nil {
		return errors.New("there is none of this name")
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(payload))
	if err != nil {
		return fmt.Errorf("not one JSON value: %w", err)
	}
	if err := schema.Validate(value); err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	return nil
}

func newEvents(source []byte) (*Events, error) {
	document, err := loadDocument(source)
	if err != nil {
		return nil, err
	}
	compiler, err := newCompiler(document)
	if err != nil {
		return nil, err
	}
	e := &Events{
		events: map[string]*jsonschema.Schema{}, requests: map[string]*jsonschema.Schema{},
		acks: map[string]*jsonschema.Schema{}, packets: map[string]bool{},
	}
	operations, err := document.object("#/operations")
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(operations)) {
		if err := e.add(document, compiler, "#/operations/"+name); err != nil {
			return nil, fmt.Errorf("operation %s: %w", name, err)
		}
	}
	return e, nil
}

// add compiles the schemas of one operation.
func (e *Events) add(document *document, compiler *jsonschema.Compiler, operation string) error {
	o, err := document.object(operation)
	if err != nil {
		return err
	}
	var into map[string]*jsonschema.Schema
	switch o["action"] {
	case "receive":
		into = e.requests
	case "send":
		into = e.events
	default:
		return fmt.Errorf("action %v is neither receive nor send", o["action"])
	}
	if err := e.addMessages(document, compiler, operation+"/messages", into); err != nil {
		return err
	}
	if o["reply"] == nil {
		return nil
	}
	return e.addMessages(document, compiler, operation+"/reply/messages", e.acks)
}

func (e *Events) addMessages(document *document, compiler *jsonschema.Compiler, list string, into map[string]*jsonschema.Schema) error {
	messages, err := document.list(list)
	if err != nil {
		return err
	}
	for i := range messages {
		pointer, message, err := document.follow(fmt.Sprintf("%s/%d", list, i))
		if err != nil {
			return err
		}
		name, _ := message["name"].(string)
		if name == "" {
			return fmt.Errorf("%s has no name", pointer)
		}
		if into[name] != nil {
			return fmt.Errorf("%s is there twice", name)
		}
		if into[name], err = compiler.Compile(documentName + pointer + "/payload"); err != nil {
			return fmt.Errorf("payload of %s: %w", pointer, err)
		}
		if message["x-packet"] != nil {
			e.packets[name] = true
		}
	}
	return nil
}

func newCompiler(document *document) (*jsonschema.Compiler, error) {
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource(documentName, document.root); err != nil {
		return nil, fmt.Errorf("add document: %w", err)
	}
	return compiler, nil
}

// document is a parsed YAML document; a pointer is a URI fragment of JSON Pointer (RFC 6901), as in $ref.
type document struct{ root any }

func loadDocument(source []byte) (*document, error) {
	encoded, err := yaml.YAMLToJSON(source)
	if err != nil {
		return nil, fmt.Errorf("read YAML: %w", err)
	}
	root, err := jsonschema.UnmarshalJSON(bytes.NewReader(encoded))
	if err != nil {
		return nil, fmt.Errorf("read JSON: %w", err)
	}
	return &document{root: root}, nil
}

func (d *document) at(pointer string) (any, error) {
	path, local := strings.CutPrefix(pointer, "#/")
	if !local {
		return nil, fmt.Errorf("%s is not a reference within the document", pointer)
	}
	value := d.root
	unescape := strings.NewReplacer("~1", "/", "~0", "~")
	for name := range strings.SplitSeq(path, "/") {
		var next any
		switch parent := value.(type) {
		case map[string]any:
			next = parent[unescape.Replace(name)]
		case []any:
			for i := range parent {
				if fmt.Sprint(i) == name {
					next = parent[i]
				}
			}
		}
		if next == nil {
			return nil, fmt.Errorf("%s leads nowhere", pointer)
		}
		value = next
	}
	return value, nil
}

func (d *document) object(pointer string) (map[string]any, error) {
	value, err := d.at(pointer)
	if err != nil {
		return nil, err
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s is not an object", pointer)
	}
	return object, nil
}

func (d *document) list(pointer string) ([]any, error) {
	value, err := d.at(pointer)
	if err != nil {
		return nil, err
	}
	items, ok := value.([]any)
	if !ok {
		return nil, fmt.Errorf("%s is not a list", pointer)
	}
	return items, nil
}

// maxReferences bounds a chain of references, so that a ring of them ends.
const maxReferences = 8

// follow goes from reference to reference and returns the object at the end, and where it is.
func (d *document) follow(pointer string) (string, map[string]any, error) {
	for range maxReferences {
		object, err := d.object(pointer)
		if err != nil {
			return "", nil, err
		}
		next, isRef := object["$ref"].(string)
		if !isRef {
			return pointer, object, nil
		}
		pointer = next
	}
	return "", nil, fmt.Errorf("%s: too many references", pointer)
}
