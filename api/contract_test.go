package api_test

import (
	"strings"
	"testing"

	"rolecall/api"
)

// TestDocumentsAreCopies: whoever changes what the accessors return changes nobody else's.
func TestDocumentsAreCopies(t *testing.T) {
	for name, document := range map[string]func() []byte{"openapi": api.OpenAPIYAML, "asyncapi": api.AsyncAPIYAML} {
		first := document()
		if !strings.HasPrefix(string(first), name) {
			t.Errorf("%s begins with %q", name, first[:10])
		}
		first[0] = 'X'
		if document()[0] == 'X' {
			t.Errorf("%s is shared", name)
		}
	}
}
