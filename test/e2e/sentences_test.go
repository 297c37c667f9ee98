package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"rolecall/internal/roles"
	"rolecall/test/harness"
)

// What a refused event answers tells its sender what to do, also where several things could be done.
func TestSentencesForWrongPayloads(t *testing.T) {
	server := harness.Start(t, nil)
	admin := server.Dial(harness.Person("root", roles.Admin, ""), "/")
	driver := server.Dial(harness.Person("dora", roles.Driver, "acme"), "/")
	many := "[" + strings.Repeat(`"u",`, 500) + `"u"]`
	const aRoom = "The payload must be a room id, or an object with a roomId"
	for _, test := range []struct {
		sender                         *harness.Socket
		event, payload, field, message string
	}{
		{admin, "chat:message", `{}`, "roomId", "Either roomId or to is needed"},
		{admin, "chat:message", `{"text":"x"}`, "roomId", "Either roomId or to is needed"},
		{admin, "chat:message", `{"text":"x","roomId":"","to":""}`, "roomId", "Either roomId or to is needed"},
		{admin, "chat:message", `{"text":"x","roomId":"a","to":"b"}`, "roomId", "Only one of roomId and to can be given"},
		{admin, "chat:message", `{"roomId":"a","text":""}`, "text", "Invalid message"},
		{admin, "system:read", `{}`, "id", "Name one notice by id, several by ids, or all of them by all: true"},
		{admin, "system:read", `{"id":"a","ids":["b"]}`, "id", "Name one notice by id, several by ids, or all of them by all: true"},
		{admin, "system:read", `{"ids":` + many + `}`, "ids", "ids has more than 500 entries"},
		{admin, "room:create", `{"name":"n"}`, "members", "members is missing"},
		{admin, "room:create", `{"name":"n","members":[]}`, "members", "members is empty"},
		{admin, "room:create", `{"name":"n","members":` + many + `}`, "members", "members has more than 499 entries"},
		{admin, "room:join", `7`, "", aRoom},
		{admin, "room:join", `["lobby"]`, "", aRoom},
		{admin, "room:leave", `true`, "", aRoom},
		{admin, "room:join", `null`, "roomId", "Either roomId or rooms is needed"},
		{admin, "room:join", `{"roomId":"a","limit":201}`, "limit", "limit is larger than 200"},
		{driver, "tracking:update", `{}`, "lat", "lat is missing"},
		{driver, "tracking:update", `{"lat":1}`, "lng", "lng is missing"},
		{driver, "tracking:update", `{"lat":91,"lng":1}`, "lat", "lat must be a number from -90 to 90"},
		{driver, "tracking:update", `{"lat":1,"lng":1,"timestamp":1}`, "ts", "ts must be written like this, not timestamp"},
		{driver, "tracking:update", `{"LAT":1,"lng":2}`, "lat", "lat must be written like this, not LAT"},
		{driver, "tracking:update", `{"lat":1,"lng":1,"ts":1767268800}`, "ts", "ts must be Unix milliseconds; this looks like seconds"},
		{driver, "tracking:update", `[{"lat":1,"lng":1},{"lat":1,"lng":1,"lat":2}]`, "[1].lat", "[1].lat is given twice"},
		{admin, "system:broadcast", `{"title":"t","audience":{"ALL":true}}`, "audience.all", "audience.all must be written like this"},
		{admin, "system:broadcast", `{"title":"t","audience":{"all":true},"data":{"a":[{"b":1,"b":2}]}}`, "data.a[0].b", "data.a[0].b is given twice"},
		{admin, "room:join", `{"ROOMID":"a"}`, "roomId", "roomId must be written like this"},
		{admin, "room:leave", `{"roomId":"a","roomId":"b"}`, "roomId", "roomId is given twice"},
	} {
		ack := test.sender.Ask(test.event, json.RawMessage(test.payload))
		if ack.Code != "invalid_payload" || ack.Field != test.field || ack.Error != test.message {
			t.Errorf("%s %.80s: %s, want %q at %q", test.event, test.payload, ack.Raw, test.message, test.field)
		}
	}
}
