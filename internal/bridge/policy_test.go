package bridge_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"rolecall/internal/bridge"
	"rolecall/internal/realtime"
)

func TestPolicy(t *testing.T) {
	t.Parallel()
	usual := bridge.Policy{Rooms: []string{"chat:*", "user:*"}}
	wide := bridge.Policy{Rooms: []string{"*"}, Events: []string{"chat:typing", "system:*"}}
	narrow := bridge.Policy{Rooms: []string{"chat:orders", "order:*", "everyone"}}
	for _, tt := range []struct {
		policy       bridge.Policy
		room         string
		named, entry bool
	}{
		{usual, "chat:lobby", true, true}, {usual, "chat:group:a", true, false}, {usual, "chat:dm:a:b", true, false},
		{usual, "user:a", true, false}, {usual, "role:admin", false, false}, {usual, "company:a", false, false},
		{usual, "company:a:driver", false, false}, {usual, "fleet:*", false, false}, {usual, "fleet:a", false, false},
		{usual, "order:5", false, false}, {usual, realtime.Everyone, false, false}, {usual, "everyone", false, false},
		{usual, "chat:", true, false}, {usual, "chat:user:a", true, false}, {usual, "Chat:lobby", false, false},
		{wide, "role:admin", true, false}, {wide, "fleet:*", true, false}, {wide, "order:5", true, true},
		{wide, realtime.Everyone, true, false}, {wide, "aside:1", true, false}, {wide, "driver:a", true, false},
		{narrow, "chat:orders", true, true}, {narrow, "chat:orders2", false, false}, {narrow, "order:", true, true},
		{narrow, realtime.Everyone, true, false}, {narrow, "user:a", false, false}, {bridge.Policy{}, "chat:lobby", false, false},
	} {
		if named, entry := tt.policy.AllowsRoom(tt.room), tt.policy.AllowsEntry(tt.room); named != tt.named || entry != tt.entry {
			t.Errorf("%v: %q may be named: %t, entered: %t", tt.policy.Rooms, tt.room, named, entry)
		}
	}
	for _, tt := range []struct {
		policy bridge.Policy
		event  string
		want   bool
	}{
		{usual, "order:updated", true}, {usual, "chat:message", false}, {usual, "system:notice", false}, {usual, "auth:expiring", false},
		{usual, "disconnect", false}, {usual, "", false}, {usual, "chat", true}, {wide, "chat:typing", true}, {wide, "chat:message", false},
		{wide, "system:notice", true}, {wide, "connect_error", false},
	} {
		if got := tt.policy.AllowsEvent(tt.event); got != tt.want {
			t.Errorf("%v: %q may be sent: %t", tt.policy.Events, tt.event, got)
		}
	}
}

// Every event that the contract has clients hear is one of the server's own.
func TestOwnEventsAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../api/asyncapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var contract struct {
		Components struct {
			Messages map[string]struct{ Name string }
		}
	}
	if err := yaml.Unmarshal(text, &contract); err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, message := range contract.Components.Messages {
		if !strings.Contains(message.Name, ":") {
			continue
		}
		found++
		if !slices.ContainsFunc(bridge.OwnEvents(), func(own string) bool { return strings.HasPrefix(message.Name, own) }) {
			t.Errorf("%s is not known as an event of the server's own", message.Name)
		}
	}
	if found < 20 {
		t.Errorf("only %d events were found in the contract", found)
	}
}
