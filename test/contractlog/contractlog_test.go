// Package contractlog holds what another test-suite has seen of a server against the contract: a file named in
// CONTRACT_LOG with one JSON entry a line.
package contractlog

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"rolecall/test/contracttest"
)

// entry is an event or an ack with its payload, or a REST answer.
type entry struct {
	Kind    string
	Name    string
	Payload json.RawMessage

	Method, Path string
	Status       int
	Headers      map[string]string
	Body         string
}

// sample stands in where no log is named.
const sample = `{"kind":"event","name":"room:user-left","payload":{"roomId":"r","userId":"u","username":"U"}}
{"kind":"ack","name":"room:leave","payload":{"status":"ok"}}
{"kind":"rest","method":"GET","path":"/api/v1/me","status":401,"headers":{"content-type":"application/problem+json","www-authenticate":"Bearer"},"body":"{\"type\":\"about:blank\",\"title\":\"Unauthorized\",\"status\":401,\"detail\":\"Authentication required\",\"code\":\"auth_required\"}"}
`

func TestLogAgainstContract(t *testing.T) {
	log := io.Reader(strings.NewReader(sample))
	if name := os.Getenv("CONTRACT_LOG"); name != "" {
		file, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = file.Close() }()
		log = file
	}
	events, rest := contracttest.NewEvents(t), contracttest.NewREST(t)
	known := events.ClientEvents()
	checked := make(map[string]int)
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatalf("entry %.200s: %v", lines.Bytes(), err)
		}
		switch e.Kind {
		case "event":
			events.CheckEvent(t, e.Name, e.Payload)
		case "ack":
			if !slices.Contains(known, e.Name) {
				continue // sent to see it refused
			}
			events.CheckAck(t, e.Name, e.Payload)
		case "rest":
			checkREST(t, rest, e)
		default:
			t.Fatalf("unknown kind %q", e.Kind)
		}
		checked[e.Kind]++
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"event", "ack", "rest"} {
		if checked[kind] == 0 {
			t.Errorf("the log has no %s", kind)
		}
	}
	t.Logf("held against the contract: %v", checked)
}

func checkREST(t *testing.T, rest *contracttest.REST, e entry) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), e.Method, "http://server"+e.Path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response := &http.Response{StatusCode: e.Status, Header: make(http.Header), Request: request}
	for name, value := range e.Headers {
		response.Header.Set(name, value)
	}
	rest.Check(t, request, nil, response, []byte(e.Body))
}
