// Package api is the HTTP door: the contract's documents, the REST routes under /api/v1, and health.
package api

import (
	_ "embed" // the contract's documents
)

//go:embed openapi.yaml
var openAPIDocument string

//go:embed asyncapi.yaml
var asyncAPIDocument string

// OpenAPIYAML returns the REST contract, an OpenAPI 3.1 document, as a copy of the caller's own.
func OpenAPIYAML() []byte { return []byte(openAPIDocument) }

// AsyncAPIYAML returns the event contract, an AsyncAPI 3.0 document, as a copy of the caller's own.
func AsyncAPIYAML() []byte { return []byte(asyncAPIDocument) }
