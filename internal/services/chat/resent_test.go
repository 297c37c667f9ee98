package chat_test

import (
	"testing"

	"rolecall/internal/fault"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
)

// TestAnotherMessageUnderTheIDOfAChangedOne: what a message said at first tells one that is sent again from another, also when it
// was edited, reacted to or deleted since.
func TestAnotherMessageUnderTheIDOfAChangedOne(t *testing.T) {
	t.Parallel()
	service := newService(t, openStore(t), &hub{}, nil, nil)
	amy := person("amy", roles.Vendor)
	change := map[string]func(messageID string) error{
		"edited": func(id string) error {
			_, err := edit(t, service, amy, "lobby", id, "edited")
			return err
		},
		"edited to what comes": func(id string) error {
			_, err := edit(t, service, amy, "lobby", id, "B")
			return err
		},
		"deleted": func(id string) error {
			_, err := remove(t, service, amy, "lobby", id)
			return err
		},
		"reacted to": func(id string) error {
			_, err := react(t, service, amy, "lobby", id, "👍", true)
			return err
		},
	}
	for first, second := range map[string]string{
		"edited": "deleted", "edited to what comes": "edited", "deleted": "", "reacted to": "edited", "": "reacted to",
	} {
		clientID := "c " + first + ", " + second
		sent := send(t, service, amy, chat.Outgoing{RoomID: "lobby", Text: "A", ClientID: clientID})
		for _, how := range []string{first, second} {
			if how == "" {
				continue
			}
			if err := change[how](sent.MessageID); err != nil {
				t.Fatalf("%s: %v", how, err)
			}
			again := send(t, service, amy, chat.Outgoing{RoomID: "lobby", Text: "A", ClientID: clientID})
			if !again.Replayed || again.MessageID != sent.MessageID {
				t.Errorf("%s: sent again it is %+v, want the first message", how, again)
			}
			_, err := service.Send(t.Context(), amy, chat.Outgoing{RoomID: "lobby", Text: "B", ClientID: clientID})
			if !fault.Is(err, fault.Conflict) || fault.From(err).Field != "clientId" {
				t.Errorf("%s: another text under its id: %v, want conflict at clientId", how, err)
			}
		}
	}
	if history := whole(t, service, amy, "lobby"); len(history) != 5 {
		t.Errorf("%d messages, want 5", len(history))
	}
}
