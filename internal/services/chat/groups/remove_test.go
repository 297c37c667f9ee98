package groups_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat/groups"
	"rolecall/test/servicetest"
	"rolecall/test/sqlitetest"
)

// TestRemove plays a group's end: members leave and are taken out, each time in one change that those who are out hear as
// room:removed and the others as room:updated.
func TestRemove(t *testing.T) {
	t.Parallel()
	service, told := newTold(sqlitetest.Open(t).Groups, reach{})
	vendor := func(id string) auth.Identity { return servicetest.Person(id, roles.Vendor) }
	made, err := service.Create(t.Context(), vendor("amy"), groups.NewGroup{Name: "g", Members: []string{"bob", "cem", "dan", "eve"}})
	if err != nil {
		t.Fatal(err)
	}
	room := made.Room.String()
	all := []roles.Room{"user:amy", "user:bob", "user:cem", "user:dan", "user:eve"}
	added := []servicetest.Emission{{Event: "room:added", To: all, Payload: fmt.Sprintf(
		`{"roomId":%q,"revision":1,"userId":"amy","username":"name of amy","room":{"roomId":%q,"kind":"group","name":"g",`+
			`"owner":"amy","history":"joined",`+
			`"members":["amy","bob","cem","dan","eve"],"memberCount":5,"lastSeq":0,"readSeq":0,"unread":0,"mentions":0,"muted":false}}`, room, room)}}
	if diff := cmp.Diff(added, besideEntries(t, told, made.Room, groups.EntryCreated)); diff != "" {
		t.Errorf("told of the group (-want +got):\n%s", diff)
	}
	heard := func(event, by string, revision int, more string, to ...roles.Room) servicetest.Emission {
		return servicetest.Emission{Event: event, To: to, Payload: fmt.Sprintf(
			`{"roomId":%q,"revision":%d,"userId":%q,"username":"name of %s"%s}`, room, revision, by, by, more)}
	}
	for _, step := range []struct {
		name    string
		who     string
		members []string
		code    fault.Code
		left    []string
		told    []servicetest.Emission
		entry   groups.EntryType
	}{
		{"one leaves", "bob", []string{"bob"}, "", []string{"amy", "cem", "dan", "eve"}, []servicetest.Emission{
			heard("room:removed", "bob", 2, "", "user:bob"),
			heard("room:updated", "bob", 2, `,"removed":["bob"]`, "user:amy", "user:cem", "user:dan", "user:eve")}, groups.EntryLeft},
		{"and leaves again", "bob", []string{"bob"}, fault.RoomForbidden, nil, nil, ""},
		{"a member takes out another", "cem", []string{"cem", "dan"}, fault.Forbidden, nil, nil, ""},
		{"a stranger", "zoe", []string{"zoe"}, fault.RoomForbidden, nil, nil, ""},
		{"the maker takes out two", "amy", []string{"eve", "dan", "nobody", "eve"}, "", []string{"amy", "cem"}, []servicetest.Emission{
			heard("room:removed", "amy", 3, "", "user:dan", "user:eve"),
			heard("room:updated", "amy", 3, `,"removed":["dan","eve"]`, "user:amy", "user:cem")}, groups.EntryRemoved},
		{"somebody who is out already", "amy", []string{"dan"}, "", []string{"amy", "cem"}, nil, ""},
		{"the maker leaves", "amy", []string{"amy"}, "", []string{"cem"}, []servicetest.Emission{
			heard("room:removed", "amy", 4, "", "user:amy"), heard("room:updated", "amy", 4, `,"removed":["amy"],"owner":"cem"`, "user:cem")}, groups.EntryLeft},
		{"the maker is out as well", "amy", []string{"cem"}, fault.RoomForbidden, nil, nil, ""},
		{"the last one leaves", "cem", []string{"cem"}, "", []string{}, []servicetest.Emission{heard("room:removed", "cem", 5, "", "user:cem")}, ""},
	} {
		left, err := service.Remove(t.Context(), vendor(step.who), groups.Removal{RoomID: room, Members: step.members})
		if servicetest.Code(err) != step.code || err == nil && !slices.Equal(left.Members, step.left) {
			t.Errorf("%s: %v left, %v; want %v, %q", step.name, left.Members, err, step.left, step.code)
		}
		if err == nil && left.Members == nil {
			t.Errorf("%s: the list of members is null", step.name)
		}
		if diff := cmp.Diff(step.told, besideEntries(t, told, made.Room, step.entry)); diff != "" {
			t.Errorf("%s: told (-want +got):\n%s", step.name, diff)
		}
		if err != nil {
			continue
		}
		if known, _, err := service.Members(t.Context(), made.Room); err != nil || len(known) != len(step.left) {
			t.Errorf("%s: the service knows %v, %v", step.name, known, err)
		}
	}
}

// besideEntries is what was told beside the entry of the log, which has to be of this type; "" for none.
func besideEntries(t *testing.T, told *servicetest.Recorder, room roles.ChatRoom, want groups.EntryType) (others []servicetest.Emission) {
	t.Helper()
	var types []groups.EntryType
	for _, emission := range told.Take() {
		if emission.Event != "chat:message" {
			others = append(others, emission)
			continue
		}
		m := servicetest.Decode[struct {
			RoomID   string       `json:"roomId"`
			Kind     string       `json:"kind"`
			UserID   string       `json:"userId"`
			Username string       `json:"username"`
			Text     string       `json:"text"`
			Seq      int64        `json:"seq"`
			Revision int64        `json:"revision"`
			System   groups.Entry `json:"system"`
		}](t, emission.Payload)
		if m.RoomID != room.String() || m.Kind != "system" || m.System.By != m.UserID || m.Text != m.System.Text(m.Username) || m.Seq != m.Revision {
			t.Errorf("an entry is told as %s", emission.Payload)
		}
		types = append(types, m.System.Type)
	}
	if want != "" && !slices.Equal(types, []groups.EntryType{want}) || want == "" && len(types) > 0 {
		t.Errorf("entries %v, want %q", types, want)
	}
	return others
}

// TestRemoveFromNoGroup: other rooms have no members who leave, and an unknown group is like one that is not the caller's.
func TestRemoveFromNoGroup(t *testing.T) {
	t.Parallel()
	store := &memory{}
	service, told := newTold(store, reach{})
	amy := servicetest.Person("amy", roles.Vendor)
	for id, want := range map[string]fault.Code{
		"dm:amy:bob": fault.RoomInvalid, "lobby": fault.RoomInvalid, "a b": fault.RoomInvalid, "user:amy": fault.RoomInvalid,
		"group:unknown": fault.RoomForbidden,
	} {
		_, err := service.Remove(t.Context(), amy, groups.Removal{RoomID: id, Members: []string{"amy"}})
		if servicetest.Code(err) != want || fault.From(err).Field != "roomId" {
			t.Errorf("%s: %v, want %s", id, err, want)
		}
	}
	store.failure = errors.New("disk broken")
	if _, err := service.Remove(t.Context(), amy, groups.Removal{RoomID: "group:g", Members: []string{"amy"}}); !errors.Is(err, store.failure) {
		t.Errorf("a failure: %v", err)
	}
	if emitted := told.Take(); len(emitted) > 0 {
		t.Errorf("told %v", emitted)
	}
}

// TestGroupsAreBounded: nobody makes groups without end, or is put into any number of them.
func TestGroupsAreBounded(t *testing.T) {
	t.Parallel()
	amy := servicetest.Person("amy", roles.Vendor)
	for name, test := range map[string]struct {
		store *memory
		field string
	}{
		"a hundred made that day":       {&memory{made: 100}, ""},
		"a member who is in 500 groups": {&memory{full: []string{"bob"}}, "members"},
		"a maker who is in 500 groups":  {&memory{full: []string{"amy"}}, "members"},
	} {
		service := newService(test.store, reach{})
		_, err := service.Create(t.Context(), amy, groups.NewGroup{Name: "g", Members: []string{"bob"}})
		if servicetest.Code(err) != fault.TooManyRooms || fault.From(err).Field != test.field {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := newService(&memory{made: 99}, reach{}).Create(t.Context(), amy, groups.NewGroup{Name: "g", Members: []string{"bob"}}); err != nil {
		t.Errorf("the hundredth group of a day: %v", err)
	}
}
