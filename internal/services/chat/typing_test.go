package chat_test

import (
	"strings"
	"testing"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
)

// TestTypingTellsNoHiddenName: in a direct room, whom the other would not find writes by their id; in a group the members know each
// other.
func TestTypingTellsNoHiddenName(t *testing.T) {
	t.Parallel()
	h := &hub{}
	people := directory{"amy": "hidden", "bob": roles.Vendor, "cem": roles.Vendor}
	service := newService(t, openStore(t), h, people, nil)
	groupID := group(t, service, person("amy", roles.Vendor), "bob")
	bob := h.connect(person("bob", roles.Vendor))
	for _, test := range []struct{ writer, room, name string }{
		{"amy", "dm:amy:bob", "amy"}, {"amy", groupID, "name of amy"}, {"cem", "dm:bob:cem", "name of cem"},
	} {
		writer := person(test.writer, roles.Vendor)
		s := h.connect(writer)
		for _, is := range []bool{true, true, false} {
			if err := service.Typing(t.Context(), writer, typing(test.room, is), s); err != nil {
				t.Fatal(err)
			}
			heard := bob.take()
			if len(heard) != 1 || heard[0].Name != chat.EventTyping || !strings.Contains(heard[0].Payload, `"username":"`+test.name+`"`) {
				t.Errorf("%+v: bob heard %v", test, heard)
			}
		}
	}
}
