package people_test

import (
	"slices"
	"testing"

	"rolecall/internal/roles"
)

// heardAlone is what single people have been told since it was asked last.
func (b *bench) heardAlone() (heard []string) {
	emitted, _ := b.told.take()
	for _, one := range emitted {
		for _, to := range one.To {
			heard = append(heard, string(to)+" "+one.Event+one.Payload)
		}
	}
	slices.Sort(heard)
	return heard
}

// TestPeopleWhoMeetAreToldOfEachOther where both have written and are there, and nobody else is.
func TestPeopleWhoMeetAreToldOfEachOther(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, id := range []string{"amy", "bob", "cem"} {
		b.come(t, person(id, roles.Vendor, ""))
	}
	b.heardAlone()
	says := func(room roles.ChatRoom, writer string, want ...string) {
		t.Helper()
		b.write(t, room, writer)
		b.Met(writer, room.People())
		if heard := b.heardAlone(); !slices.Equal(heard, want) {
			t.Errorf("once %s has written in %s was told %v, want %v", writer, room, heard, want)
		}
	}
	direct := func(one, other string) roles.ChatRoom {
		room, err := roles.DirectRoom(one, other)
		if err != nil {
			t.Fatal(err)
		}
		return room
	}
	says(direct("amy", "bob"), "amy")
	says(direct("amy", "bob"), "bob",
		`user:amy presence:online{"userId":"bob","username":"name of bob"}`,
		`user:bob presence:online{"userId":"amy","username":"name of amy"}`)
	says(direct("amy", "zoe"), "amy")
	says(direct("amy", "zoe"), "zoe", `user:zoe presence:online{"userId":"amy","username":"name of amy"}`) // who spoke by REST
	if err := b.Close(t.Context()); err != nil {
		t.Error(err)
	}
	b.write(t, direct("bob", "cem"), "bob")
	says(direct("bob", "cem"), "cem")
}
