package contracttest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"rolecall/api"
)

// Examples finds what the documents show as an example of what a client sends.
type Examples struct {
	events map[string]string // pointers to the payloads of client events, by name
	async  *document
	open   *document
}

// NewExamples loads both documents; one that is not usable fails the test at once.
func NewExamples(t testing.TB) *Examples {
	t.Helper()
	async, err := loadDocument(api.AsyncAPIYAML())
	if err != nil {
		t.Fatalf("asyncapi.yaml: %v", err)
	}
	open, err := loadDocument(api.OpenAPIYAML())
	if err != nil {
		t.Fatalf("openapi.yaml: %v", err)
	}
	e := &Examples{events: map[string]string{}, async: async, open: open}
	operations, err := async.object("#/operations")
	if err != nil {
		t.Fatal(err)
	}
	for name := range operations {
		if operation, _ := operations[name].(map[string]any); operation["action"] != "receive" {
			continue
		}
		pointer, message, err := async.follow("#/operations/" + name + "/messages/0")
		if err != nil {
			t.Fatal(err)
		}
		event, _ := message["name"].(string)
		e.events[event] = pointer + "/payload"
	}
	return e
}

// Event returns the example of a client event's payload, nil where there is none.
func (e *Examples) Event(name string) json.RawMessage {
	pointer, known := e.events[name]
	if !known {
		return nil
	}
	return first(e.async, pointer)
}

// Body returns the example of a request's body, nil where there is none.
func (e *Examples) Body(method, path string) json.RawMessage {
	escaped := strings.NewReplacer("~", "~0", "/", "~1").Replace(path)
	return first(e.open, fmt.Sprintf("#/paths/%s/%s/requestBody/content/application~1json/schema", escaped, strings.ToLower(method)))
}

// first is the first example of the schema at a pointer.
func first(d *document, pointer string) json.RawMessage {
	_, schema, err := d.follow(pointer)
	if err != nil {
		return nil
	}
	examples, _ := schema["examples"].([]any)
	if len(examples) == 0 {
		return nil
	}
	encoded, err := json.Marshal(examples[0])
	if err != nil {
		return nil
	}
	return encoded
}
