package contracttest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"rolecall/api"
	"rolecall/internal/roles"
)

// TestEventNames: the events of the server. Those of clients are held against the routers by the tests of payloads.
func TestEventNames(t *testing.T) {
	events := NewEvents(t)
	server := []string{
		"auth:expiring", "chat:batch", "chat:deleted", "chat:edited", "chat:message", "chat:reaction", "chat:read", "chat:typing", "error:event", "people:blocked", "presence:changes", "presence:list",
		"presence:offline", "presence:online", "room:added", "room:closed", "room:history", "room:muted", "room:removed", "room:updated", "room:user-joined",
		"room:user-left", "rooms:list", "system:inbox", "system:notice",
		"system:retract", "system:unread", "tracking:positions", "tracking:snapshot", "tracking:status",
	}
	if diff := cmp.Diff(server, events.ServerEvents()); diff != "" {
		t.Errorf("server events (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(events.ClientEvents(), slices.Sorted(maps.Keys(events.acks))); diff != "" {
		t.Errorf("acknowledged events (-clients' +got):\n%s", diff)
	}
}

// TestRoutes holds the documented routes and their roles against the ones the server has.
func TestRoutes(t *testing.T) {
	allRoles := func(can func(roles.Role) bool) []string {
		var names []string
		for _, role := range roles.All() {
			if can(role) {
				names = append(names, string(role))
			}
		}
		slices.Sort(names)
		return names
	}
	want, got := map[string][]string{}, map[string][]string{}
	parameters := map[string][]string{}
	for _, route := range api.New(api.Options{}).Routes() {
		want[route.Method+" "+api.Prefix+route.Pattern] = allRoles(func(role roles.Role) bool {
			return route.Rule.Allows(role)
		})
		parameters[route.Method+" "+api.Prefix+route.Pattern] = route.Parameters
	}
	for _, signed := range []string{"GET /files/{id}", "GET /files/{id}/thumbnail"} { // which are no routes of the API
		parameters[signed] = []string{"expires", "signature"}
	}
	for name, operation := range restOperations(t) {
		if diff := cmp.Diff(parameters[name], queryOf(operation)); diff != "" {
			t.Errorf("%s: parameters of the query (-server +document):\n%s", name, diff)
		}
		if strings.Contains(name, api.Prefix) {
			allowed, limited := operation.Extensions["x-roles"].([]any)
			got[name] = allRoles(func(role roles.Role) bool { return !limited || slices.Contains(allowed, any(string(role))) })
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("routes and who may call them (-server +document):\n%s", diff)
	}
}

// queryOf lists the documented parameters of a query, sorted.
func queryOf(operation *openapi3.Operation) []string {
	var names []string
	for _, parameter := range operation.Parameters {
		if parameter.Value.In == openapi3.ParameterInQuery {
			names = append(names, parameter.Value.Name)
		}
	}
	slices.Sort(names)
	return names
}

func restOperations(t *testing.T) map[string]*openapi3.Operation {
	t.Helper()
	operations := map[string]*openapi3.Operation{}
	for path, item := range NewREST(t).document.Paths.Map() {
		for method, operation := range item.Operations() {
			operations[method+" "+path] = operation
		}
	}
	return operations
}

// TestOperations: what every REST operation has in common.
func TestOperations(t *testing.T) {
	for name, operation := range restOperations(t) {
		t.Run(name, func(t *testing.T) {
			if operation.Responses.Default() != nil {
				t.Error("a default response would let every status pass")
			}
			if operation.Summary == "" || operation.OperationID == "" || len(operation.Tags) != 1 {
				t.Error("summary, operationId or tag is missing")
			}
			if !strings.Contains(name, api.Prefix) {
				if operation.Security == nil || len(*operation.Security) != 0 {
					t.Error("asks for a token")
				}
				return
			}
			if operation.Security != nil {
				t.Error("has a security rule of its own")
			}
			for _, status := range []int{400, 401, 429, 503} {
				if operation.Responses.Status(status) == nil {
					t.Errorf("does not document %d", status)
				}
			}
			for status, response := range operation.Responses.Map() {
				if status[0] == '4' && response.Value.Content.Get("application/problem+json") == nil {
					t.Errorf("%s is no problem document", status)
				}
			}
			if _, limited := operation.Extensions["x-roles"]; limited && operation.Responses.Status(403) == nil {
				t.Error("is for some roles only and does not document 403")
			}
		})
	}
}

func documents(t *testing.T) map[string]*document {
	t.Helper()
	loaded := map[string]*document{}
	for name, source := range map[string][]byte{"openapi.yaml": api.OpenAPIYAML(), "asyncapi.yaml": api.AsyncAPIYAML()} {
		d, err := loadDocument(source)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		loaded[name] = d
	}
	return loaded
}

func schemasOf(t *testing.T, d *document) map[string]any {
	t.Helper()
	schemas, err := d.object("#/components/schemas")
	if err != nil {
		t.Fatal(err)
	}
	return schemas
}

// TestSharedSchemas: what both documents name alike is alike.
func TestSharedSchemas(t *testing.T) {
	both := documents(t)
	rest, events := schemasOf(t, both["openapi.yaml"]), schemasOf(t, both["asyncapi.yaml"])
	for _, name := range []string{"Message", "MessageReceipt", "Notice", "NoticeInput", "Position", "PositionUpdate",
		"PositionVerdict", "User", "ErrorCode", "TokenErrorCode", "DriverStatus"} {
		if rest[name] == nil || events[name] == nil {
			t.Errorf("%s is missing in one of the documents", name)
		}
	}
	for name, schema := range rest {
		if twin, shared := events[name]; shared {
			if diff := cmp.Diff(schema, twin); diff != "" {
				t.Errorf("%s differs (-openapi +asyncapi):\n%s", name, diff)
			}
		}
	}
}

// walk visits every object of a document.
func walk(value any, path string, visit func(path string, object map[string]any)) {
	switch value := value.(type) {
	case map[string]any:
		visit(path, value)
		for name, child := range value {
			walk(child, path+"/"+name, visit)
		}
	case []any:
		for i, child := range value {
			walk(child, fmt.Sprintf("%s/%d", path, i), visit)
		}
	}
}

// TestReferences: each leads somewhere, and nothing reusable is left unused.
func TestReferences(t *testing.T) {
	for name, d := range documents(t) {
		used := map[string]bool{}
		walk(d.root, "#", func(path string, object map[string]any) {
			target, isRef := object["$ref"].(string)
			if !isRef {
				return
			}
			used[target] = true
			if _, _, err := d.follow(target); err != nil {
				t.Errorf("%s: %s: %v", name, path, err)
			}
		})
		for _, kind := range []string{"schemas", "messages", "responses", "parameters"} {
			components, err := d.object("#/components/" + kind)
			if err != nil {
				continue // not every document has every kind
			}
			for component := range components {
				if pointer := "#/components/" + kind + "/" + component; !used[pointer] {
					t.Errorf("%s: nothing refers to %s", name, pointer)
				}
			}
		}
	}
}

// TestExamples: every named schema compiles under JSON Schema 2020-12, and its examples are valid by it. Each event and
// ack has one.
func TestExamples(t *testing.T) {
	for name, d := range documents(t) {
		compiler, err := newCompiler(d)
		if err != nil {
			t.Fatal(err)
		}
		for schemaName, schema := range schemasOf(t, d) {
			t.Run(name+"/"+schemaName, func(t *testing.T) {
				compiled, err := compiler.Compile(documentName + "#/components/schemas/" + schemaName)
				if err != nil {
					t.Fatal(err)
				}
				fields, _ := schema.(map[string]any)
				examples, _ := fields["examples"].([]any)
				if len(examples) == 0 && schemaName != "NextCursor" {
					t.Error("no example")
				}
				for i, example := range examples {
					if err := compiled.Validate(example); err != nil {
						t.Errorf("example %d: %v", i, err)
					}
				}
			})
		}
	}
}

// TestRequestsAreClosed: an object a client sends has no members but those described; one the server sends may gain
// some, so nothing in it is closed.
func TestRequestsAreClosed(t *testing.T) {
	for name, d := range documents(t) {
		for schemaName, schema := range schemasOf(t, d) {
			input := strings.HasSuffix(schemaName, "Input") || strings.HasSuffix(schemaName, "Request") ||
				schemaName == "ConnectPayload" || schemaName == "PositionUpdate"
			walk(schema, schemaName, func(path string, object map[string]any) {
				if object["type"] != "object" || strings.Contains(path, "/examples/") || strings.HasSuffix(path, "/data") {
					return
				}
				if _, isMap := object["additionalProperties"].(map[string]any); isMap { // whose members have no names of their own
					return
				}
				if closed := object["additionalProperties"] == any(false); closed != input {
					t.Errorf("%s: %s: closed is %t, want %t", name, path, closed, input)
				}
			})
		}
	}
}

// TestChannels: every message is on the whole namespace, and the smaller ones carry nothing else.
func TestChannels(t *testing.T) {
	d := documents(t)["asyncapi.yaml"]
	messages, err := d.object("#/components/messages")
	if err != nil {
		t.Fatal(err)
	}
	carried := map[string]int{}
	for _, channel := range []string{"root", "chat", "tracking", "system"} {
		on, err := d.object("#/channels/" + channel + "/messages")
		if err != nil {
			t.Fatal(err)
		}
		for key, reference := range on {
			want := map[string]any{"$ref": "#/components/messages/" + key}
			if diff := cmp.Diff(any(want), reference); diff != "" {
				t.Errorf("%s: %s (-want +got):\n%s", channel, key, diff)
			}
			if channel != "root" {
				carried[key]++
			}
		}
		if channel == "root" {
			if diff := cmp.Diff(slices.Sorted(maps.Keys(messages)), slices.Sorted(maps.Keys(on))); diff != "" {
				t.Errorf("messages on / (-all +listed):\n%s", diff)
			}
		}
	}
	for key := range messages {
		if n := carried[key]; n != 1 && n != 3 {
			t.Errorf("%s is on %d of the three domains' namespaces, want its own or all", key, n)
		}
	}
}

// TestNumbersSurvive: large integers of the documents are read exactly.
func TestNumbersSurvive(t *testing.T) {
	latest, err := documents(t)["asyncapi.yaml"].at("#/components/schemas/Instant/maximum")
	if err != nil {
		t.Fatal(err)
	}
	if latest != json.Number("8640000000000000") {
		t.Errorf("the latest instant was read as %v", latest)
	}
}
