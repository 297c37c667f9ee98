package contracttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"
)

// linesMedia is an answer that is a JSON document a line.
const linesMedia = "application/x-ndjson"

// linesOf is the schema of each line of an answer, nil for an answer that is no lines, or is none of the contract.
func linesOf(route *routers.Route, resp *http.Response) *openapi3.Schema {
	if resp.Header.Get("Content-Type") != linesMedia {
		return nil
	}
	answer := route.Operation.Responses.Value(strconv.Itoa(resp.StatusCode))
	if answer == nil || answer.Value == nil {
		return nil
	}
	if media := answer.Value.Content[linesMedia]; media != nil && media.Schema != nil {
		return media.Schema.Value
	}
	return nil
}

// checkLines holds every line against a schema.
func checkLines(schema *openapi3.Schema, body []byte) error {
	for i, line := range bytes.Split(bytes.TrimSuffix(body, []byte("\n")), []byte("\n")) {
		var document any
		if err := json.Unmarshal(line, &document); err != nil {
			return fmt.Errorf("line %d: %w", i+1, err)
		}
		if err := schema.VisitJSON(document, openapi3.EnableFormatValidation()); err != nil {
			return fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	return nil
}
