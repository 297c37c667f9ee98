package contracttest

import (
	"encoding/json"
	"strings"
	"testing"

	"rolecall/api"
)

const (
	message = `{"id":"m1","roomId":"dispatch","seq":1,"revision":1,"userId":"d1","username":"Ada","role":"driver","text":"hi","timestamp":"2026-01-01T00:00:00.000Z","readBy":["d1"]}`
	notice  = `{"id":"n1","title":"t","body":"","severity":"info","audience":{"all":true},"createdAt":"2026-01-01T00:00:00.000Z","requireAck":false,"from":{"userId":"a1","username":"Grace"}}`
	fix     = `{"driverId":"d1","companyId":"acme","lat":1,"lng":2,"ts":1767225600000}`
)

// TestCheckEvent holds the checker against payloads that are right, and against each way of being wrong.
func TestCheckEvent(t *testing.T) {
	events := NewEvents(t)
	tests := []struct {
		name, event, payload string
		pass                 bool
	}{
		{"message", "chat:message", message, true},
		{"message with an addition", "chat:message", strings.Replace(message, `"seq"`, `"later":1,"seq"`, 1), true},
		{"message without seq", "chat:message", strings.Replace(message, `"seq":1,`, ``, 1), false},
		{"message without revision", "chat:message", strings.Replace(message, `"revision":1,`, ``, 1), false},
		{"message with a text seq", "chat:message", strings.Replace(message, `"seq":1`, `"seq":"1"`, 1), false},
		{"message with null readBy", "chat:message", strings.Replace(message, `["d1"]`, `null`, 1), false},
		{"message that nobody has read", "chat:message", strings.Replace(message, `["d1"]`, `[]`, 1), false},
		{"message with a time in milliseconds", "chat:message", strings.Replace(message, `"2026-01-01T00:00:00.000Z"`, `1767225600000`, 1), false},
		{"message with a time to the second", "chat:message", strings.Replace(message, `.000Z`, `Z`, 1), false},
		{"message from an unknown role", "chat:message", strings.Replace(message, `"driver"`, `"pilot"`, 1), false},
		{"message in a room of the server's", "chat:message", strings.Replace(message, `dispatch`, `user:d1`, 1), false},
		{"message of the longest text", "chat:message", strings.Replace(message, `"hi"`, `"`+strings.Repeat("𝄞", 5000)+`"`, 1), true},
		{"message of too long a text", "chat:message", strings.Replace(message, `"hi"`, `"`+strings.Repeat("𝄞", 5001)+`"`, 1), false},
		{"unknown event", "chat:shouted", message, false},
		{"a client's event that the server never sends", "room:join", `"dispatch"`, false},
		{"no JSON", "chat:message", `{`, false},
		{"two JSON values", "system:retract", `{"id":"n1"}{}`, false},
		{"positions", "tracking:positions", `{"at":1,"positions":[` + fix + `]}`, true},
		{"positions of nobody", "tracking:positions", `{"at":1,"positions":[]}`, false},
		{"position beyond the pole", "tracking:positions", `{"at":1,"positions":[` + strings.Replace(fix, `"lat":1`, `"lat":90.1`, 1) + `]}`, false},
		{"heading 360", "tracking:snapshot", `{"positions":[` + strings.Replace(fix, `"lat"`, `"heading":360,"lat"`, 1) + `],"statuses":[]}`, false},
		{"snapshot", "tracking:snapshot", `{"positions":[` + fix + `],"statuses":[{"driverId":"d1","username":"Dora","companyId":"acme","status":"stale","at":1}]}`, true},
		{"snapshot without statuses", "tracking:snapshot", `{"positions":[` + fix + `]}`, false},
		{"status", "tracking:status", `{"driverId":"d1","username":"Dora","companyId":"acme","status":"stale","at":1}`, true},
		{"unknown status", "tracking:status", `{"driverId":"d1","status":"off_duty","at":1}`, false},
		{"inbox", "system:inbox", `{"unread":1,"notices":[` + notice + `]}`, true},
		{"inbox without unread", "system:inbox", `{"notices":[` + notice + `]}`, false},
		{"notice to an unknown role", "system:notice", strings.Replace(notice, `"all":true`, `"roles":["pilot"]`, 1), false},
		{"abuse", "error:event", `{"event":"x","error":"Too many bad events","code":"abuse"}`, true},
		{"slow reader", "error:event", `{"event":"","error":"This client reads too slowly","code":"slow_reader"}`, true},
		{"error of an unknown code", "error:event", `{"event":"x","error":"no","code":"internal"}`, false},
		{"rate limit without a time", "error:event", `{"event":"x","error":"slow down","code":"rate_limited"}`, false},
		{"refusal", "connect_error", `{"message":"Token expired","data":{"code":"auth_expired"}}`, true},
		{"refusal whose words belong to another code", "connect_error", `{"message":"Token expired","data":{"code":"auth_role"}}`, false},
		{"refusal without a code", "connect_error", `{"message":"Token expired","data":{}}`, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var r recorder
			events.CheckEvent(&r, test.event, json.RawMessage(test.payload))
			r.expect(t, test.pass)
		})
	}
}

func TestCheckAck(t *testing.T) {
	events := NewEvents(t)
	tests := []struct {
		name, event, ack string
		pass             bool
	}{
		{"receipt", "chat:message", `{"status":"ok","messageId":"m1","roomId":"dispatch","seq":1,"timestamp":"2026-01-01T00:00:00.000Z"}`, true},
		{"receipt without seq", "chat:message", `{"status":"ok","messageId":"m1","roomId":"dispatch","timestamp":"2026-01-01T00:00:00.000Z"}`, false},
		{"receipt without status", "chat:message", `{"messageId":"m1","roomId":"dispatch","seq":1,"timestamp":"2026-01-01T00:00:00.000Z"}`, false},
		{"failure", "chat:message", `{"status":"error","error":"text is missing","code":"invalid_payload","field":"text"}`, true},
		{"failure without a sentence", "chat:message", `{"status":"error","code":"invalid_payload"}`, false},
		{"failure of an unknown code", "chat:message", `{"status":"error","error":"no","code":"internal"}`, false},
		{"abuse in an ack", "chat:message", `{"status":"error","error":"no","code":"abuse"}`, false},
		{"rate limit", "chat:typing", `{"status":"error","error":"slow down","code":"rate_limited","retryAfterMs":1}`, true},
		{"rate limit without a time", "chat:typing", `{"status":"error","error":"slow down","code":"rate_limited"}`, false},
		{"refused token", "auth:refresh", `{"status":"error","error":"Token expired","code":"auth_expired","field":"token"}`, true},
		{"refused token elsewhere", "chat:read", `{"status":"error","error":"Token expired","code":"auth_expired"}`, false},
		{"verdict", "tracking:update", `{"status":"ok","accepted":1,"rejected":[]}`, true},
		{"verdict with null rejections", "tracking:update", `{"status":"ok","accepted":1,"rejected":null}`, false},
		{"nothing to add", "room:leave", `{"status":"ok"}`, true},
		{"ack of an unknown event", "chat:shout", `{"status":"ok"}`, false},
		{"ack of a server's event", "system:notice", `{"status":"ok"}`, false},
		{"ack of a packet", "connect", `{"status":"ok"}`, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var r recorder
			events.CheckAck(&r, test.event, json.RawMessage(test.ack))
			r.expect(t, test.pass)
		})
	}
}

func TestCheckRequestPayload(t *testing.T) {
	events := NewEvents(t)
	tests := []struct {
		name, event, payload string
		pass                 bool
	}{
		{"bare room", "room:join", `"dispatch"`, true},
		{"room and seq", "room:join", `{"roomId":"dm:a:b","after":0}`, true},
		{"malformed room", "room:join", `":dispatch"`, false},
		{"malformed direct room", "room:join", `"dm:a.b:c!"`, false},
		{"room of the server's", "room:join", `"fleet:acme"`, false},
		{"message to a room", "chat:message", `{"roomId":"dispatch","text":"hi"}`, true},
		{"message to a person", "chat:message", `{"to":"d1","text":"hi"}`, true},
		{"message to both", "chat:message", `{"roomId":"dispatch","to":"d1","text":"hi"}`, false},
		{"message to nobody", "chat:message", `{"text":"hi"}`, false},
		{"message without text", "chat:message", `{"to":"d1","text":""}`, false},
		{"member that is not known", "chat:typing", `{"roomId":"dispatch","isTyping":true,"mood":1}`, false},
		{"both bounds", "chat:history", `{"roomId":"dispatch","before":2,"after":1}`, false},
		{"one position", "tracking:update", `{"lat":1,"lng":2,"ts":"2026-01-01T00:00:00Z"}`, true},
		{"a position of an ill-formed time", "tracking:update", `{"lat":1,"lng":2,"ts":"yesterday"}`, false},
		{"500 positions", "tracking:update", `[` + strings.Repeat(`{"lat":1,"lng":2},`, 499) + `{"lat":1,"lng":2}]`, true},
		{"501 positions", "tracking:update", `[` + strings.Repeat(`{"lat":1,"lng":2},`, 500) + `{"lat":1,"lng":2}]`, false},
		{"no positions", "tracking:update", `[]`, false},
		{"notice", "system:broadcast", `{"title":"t","audience":{"companyRoles":[{"companyId":"acme","role":"driver"}]}}`, true},
		{"notice to nobody", "system:broadcast", `{"title":"t","audience":{"all":false}}`, false},
		{"notice to an empty list", "system:broadcast", `{"title":"t","audience":{"roles":[]}}`, false},
		{"one read", "system:read", `{"id":"n1"}`, true},
		{"one and many read", "system:read", `{"id":"n1","ids":["n2"]}`, false},
		{"connect", "connect", `{"token":"a.b.c"}`, true},
		{"unknown event", "no:such", `{"onDuty":true}`, false},
		{"a server's event that clients never send", "system:notice", notice, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var r recorder
			events.CheckRequestPayload(&r, test.event, json.RawMessage(test.payload))
			r.expect(t, test.pass)
		})
	}
}

// TestBrokenAsyncAPI makes sure that a document with a mistake is not taken for a good one.
func TestBrokenAsyncAPI(t *testing.T) {
	good := string(api.AsyncAPIYAML())
	tests := []struct{ name, old, broken string }{
		{"no YAML", "asyncapi: 3.0.0", "asyncapi: ["},
		{"unknown action", "action: send", "action: shout"},
		{"reference to no message", "#/components/messages/roomHistoryEvent", "#/components/messages/roomStory"},
		{"reference to no schema", "#/components/schemas/RoomHistoryEvent", "#/components/schemas/RoomStory"},
		{"message without a name", "name: room:history", "nom: room:history"},
		{"two messages of a name", "name: room:history", "name: chat:message"},
		{"schema with a wrong keyword", "maxLength: 5000", "maxLength: many"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			broken := strings.Replace(good, test.old, test.broken, 1)
			if broken == good {
				t.Fatalf("the document has no %q to break", test.old)
			}
			if _, err := newEvents([]byte(broken)); err == nil {
				t.Error("accepted")
			}
		})
	}
}
