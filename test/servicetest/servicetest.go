// Package servicetest is what the tests of the services share: the time they play at, the people in them, and a record
// of what a service emits. It knows no service and no store.
package servicetest

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	jsonv2 "github.com/go-json-experiment/json"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
)

// Deadline is how long a test waits for what must happen; it runs out only where something is broken.
const Deadline = 20 * time.Second

// Noon is when the tests play, 2026-01-01 12:00 UTC in Unix milliseconds.
const Noon = int64(1_767_268_800_000)

// AtNoon is a clock that stands still at Noon.
func AtNoon() time.Time { return time.UnixMilli(Noon) }

// Person is somebody named after the id; in a role that has companies, somebody of the company acme.
func Person(id string, role roles.Role) auth.Identity {
	company := ""
	if role.HasTenant() {
		company = "acme"
	}
	return PersonOf(id, role, company)
}

// PersonOf is Person with a company of the test's choice, "" for none.
func PersonOf(id string, role roles.Role, company string) auth.Identity {
	return auth.Identity{UserID: id, Username: "name of " + id, Role: role, CompanyID: company}
}

// Code is the code a client would see of an error, "" for nil.
func Code(err error) fault.Code {
	if err == nil {
		return ""
	}
	return fault.From(err).Code
}

// Encode is the JSON of a payload, or the text of the error where it has none.
func Encode(payload any) string {
	encoded, err := json.Marshal(payload)
	if err != nil {
		return err.Error()
	}
	return string(encoded)
}

// Decode is the value of a JSON text, unvalidated; it fails the test where that is not a T.
func Decode[T any](t testing.TB, payload string) T {
	t.Helper()
	var value T
	if err := jsonv2.Unmarshal([]byte(payload), &value); err != nil {
		t.Fatalf("decode %s: %v", payload, err)
	}
	return value
}

type closer interface {
	Close(ctx context.Context) error
}

// Close closes a service, and fails the test where that ends in an error or takes longer than Deadline.
func Close(t testing.TB, service closer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Deadline)
	defer cancel()
	if err := service.Close(ctx); err != nil {
		t.Errorf("close service: %v", err)
	}
}

// Room is the chat room of an id that is right.
func Room(id string) roles.ChatRoom {
	room, err := roles.ParseChatRoom(id)
	if err != nil {
		panic(fmt.Sprintf("%q: %v", id, err))
	}
	return room
}
