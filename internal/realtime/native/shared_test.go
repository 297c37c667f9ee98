package native

import (
	"encoding/json"
	"errors"
	"testing"

	"rolecall/internal/realtime"
	"rolecall/internal/shared"
)

// TestSharedPayload: what is sent to many sockets one by one is encoded once a namespace and event.
func TestSharedPayload(t *testing.T) {
	server := New(realtime.Options{})
	root, chat := &namespace{server: server, name: "/"}, &namespace{server: server, name: "/chat"}
	payload := shared.New(json.RawMessage(`{"a":1}`))
	encode := func(n *namespace, event string) string {
		first, err := encodeEvent(n, event, payload)
		if err != nil {
			t.Fatal(err)
		}
		second, err := encodeEvent(n, event, payload)
		if err != nil || first[0] != second[0] {
			t.Errorf("%s of %s is encoded a second time, %v", event, n.name, err)
		}
		return string(first[0].Text())
	}
	for _, test := range []struct {
		in          *namespace
		event, want string
	}{{root, "x", `2["x",{"a":1}]`}, {chat, "x", `2/chat,["x",{"a":1}]`}, {root, "y", `2["y",{"a":1}]`}} {
		if got := encode(test.in, test.event); got != test.want {
			t.Errorf("%s of %s is %s, want %s", test.event, test.in.name, got, test.want)
		}
	}
	if _, err := encodeEvent(root, "connect", payload); !errors.Is(err, errEventName) {
		t.Errorf("an event that is none: %v", err)
	}
}
