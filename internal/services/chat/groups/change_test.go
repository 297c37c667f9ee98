package groups_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"rolecall/internal/audit"
	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat/groups"
	"rolecall/internal/store"
	"rolecall/test/servicetest"
	"rolecall/test/sqlitetest"
)

// kept is a service over a store on disk, with a group of amy, bob and cem.
type kept struct {
	*groups.Service
	told  *servicetest.Recorder
	store *store.Store
	id    string
}

func vendor(id string) auth.Identity { return servicetest.Person(id, roles.Vendor) }

func newKept(t *testing.T, unreachable reach) *kept {
	t.Helper()
	stores := sqlitetest.Open(t)
	service, told := newTold(stores.Groups, unreachable)
	made, err := service.Create(t.Context(), vendor("amy"), groups.NewGroup{Name: "g", Members: []string{"bob", "cem"}})
	if err != nil {
		t.Fatal(err)
	}
	told.Take()
	return &kept{Service: service, told: told, store: stores, id: made.Room.String()}
}

// heard is what was told since the last call: the events, and to how many people.
func (k *kept) heard() (events []string) {
	for _, emission := range k.told.Take() {
		events = append(events, fmt.Sprintf("%s to %d", emission.Event, len(emission.To)))
	}
	return events
}

func (k *kept) expect(t *testing.T, what string, err error, code fault.Code, events ...string) {
	t.Helper()
	if servicetest.Code(err) != code {
		t.Errorf("%s: %v, want %q", what, err, code)
	}
	if heard := k.heard(); !slices.Equal(heard, events) {
		t.Errorf("%s: told %v, want %v", what, heard, events)
	}
}

// TestUpdate: the owner names a group, sets what new members see, and hands it over, each of which is a change of its own.
func TestUpdate(t *testing.T) {
	t.Parallel()
	k := newKept(t, reach{})
	update := func(who, name, owner string, history groups.History) (groups.Settings, error) {
		asked := groups.Update{RoomID: k.id}
		if name != "" {
			asked.Name = &name
		}
		if owner != "" {
			asked.Owner = &owner
		}
		if history != "" {
			asked.History = &history
		}
		return k.Update(t.Context(), vendor(who), asked)
	}
	_, err := update("bob", "x", "", "")
	k.expect(t, "a member who is not the owner", err, fault.Forbidden)
	_, err = update("zoe", "x", "", "")
	k.expect(t, "a stranger", err, fault.RoomForbidden)
	_, err = update("amy", "", "", "")
	k.expect(t, "nothing", err, fault.InvalidPayload)
	_, err = update("amy", "a\nb", "", "")
	k.expect(t, "a name of two lines", err, fault.InvalidPayload)
	_, err = update("amy", "new", "zoe", "")
	k.expect(t, "an owner who is no member", err, fault.NotFound)
	_, err = update("amy", " g ", "amy", groups.FromJoining)
	k.expect(t, "what holds already", err, "")
	all := []string{"room:updated to 3", "chat:message to 3"}
	settings, err := update("amy", " new ", "bob", groups.FromStart)
	k.expect(t, "all at once", err, "", slices.Concat(all, all, all)...)
	if settings.Name != "new" || settings.Owner != "bob" || settings.History != groups.FromStart {
		t.Errorf("the group is %+v", settings)
	}
	_, err = update("amy", "x", "", "")
	k.expect(t, "who was the owner", err, fault.Forbidden)
	_, err = update("bob", "x", "", "")
	k.expect(t, "who is the owner", err, "", all...)
}

// TestAdd: the owner puts people into a group whom they could have made it with.
func TestAdd(t *testing.T) {
	t.Parallel()
	k := newKept(t, reach{"eve": fault.New(fault.Forbidden, "no")})
	add := func(who auth.Identity, members ...string) (groups.Membership, error) {
		return k.Add(t.Context(), who, groups.Addition{RoomID: k.id, Members: members})
	}
	_, err := add(vendor("bob"), "dan")
	k.expect(t, "a member who is not the owner", err, fault.Forbidden)
	_, err = add(vendor("zoe"), "zoe")
	k.expect(t, "a stranger", err, fault.RoomForbidden)
	_, err = add(vendor("amy"), "dan", "stranger")
	k.expect(t, "nobody whom amy knows", err, fault.NotFound)
	if fault.From(err).Field != "members" {
		t.Errorf("the fault names %q", fault.From(err).Field)
	}
	_, err = add(vendor("amy"), "eve")
	k.expect(t, "somebody out of reach", err, fault.Forbidden)
	_, err = add(vendor("amy"), "bob", "amy")
	k.expect(t, "who is in it", err, "")
	made, err := add(vendor("amy"), "fay", "dan", "bob", "dan")
	k.expect(t, "two", err, "", "room:added to 2", "room:updated to 3", "chat:message to 5")
	if want := []string{"amy", "bob", "cem", "dan", "fay"}; !slices.Equal(made.Members, want) {
		t.Errorf("members %v", made.Members)
	}
	many := make([]string, 496)
	for i := range many {
		many[i] = fmt.Sprintf("u%03d", i)
	}
	_, err = add(vendor("amy"), many...)
	k.expect(t, "too many", err, fault.InvalidPayload)
	boss := servicetest.Person("boss", roles.Admin)
	if _, err := add(boss, "gil"); err != nil {
		t.Errorf("by an admin: %v", err)
	}
}

// TestOwnerLeaves: the group falls to who has belonged to it longest.
func TestOwnerLeaves(t *testing.T) {
	t.Parallel()
	k := newKept(t, reach{})
	if _, err := k.Add(t.Context(), vendor("amy"), groups.Addition{RoomID: k.id, Members: []string{"a-later"}}); err != nil {
		t.Fatal(err)
	}
	owner := func() string {
		t.Helper()
		group, err := k.store.Groups.Group(t.Context(), servicetest.Room(k.id))
		if err != nil {
			t.Fatal(err)
		}
		return group.Owner
	}
	for _, step := range []struct {
		who  string
		take []string
		next string
	}{{"amy", []string{"amy"}, "bob"}, {"bob", []string{"bob", "cem"}, "a-later"}} {
		if _, err := k.Remove(t.Context(), vendor(step.who), groups.Removal{RoomID: k.id, Members: step.take}); err != nil {
			t.Fatal(err)
		}
		if got := owner(); got != step.next {
			t.Errorf("after %s the group is of %q, want %q", step.who, got, step.next)
		}
	}
}

// TestClose ends a group: its owner does so, and an admin, of which a line is written down.
func TestClose(t *testing.T) {
	t.Parallel()
	k := newKept(t, reach{})
	closing := groups.Closing{RoomID: k.id}
	k.expect(t, "a member", k.Close(t.Context(), vendor("bob"), closing), fault.Forbidden)
	k.expect(t, "a stranger", k.Close(t.Context(), vendor("zoe"), closing), fault.RoomForbidden)
	boss := servicetest.Person("boss", roles.Admin)
	k.expect(t, "an admin", k.Close(t.Context(), boss, closing), "", "room:removed to 3")
	k.expect(t, "again", k.Close(t.Context(), boss, closing), fault.NotFound)
	k.expect(t, "the owner, when it is closed", k.Close(t.Context(), vendor("amy"), closing), fault.RoomForbidden)
	if _, _, err := k.Members(t.Context(), servicetest.Room(k.id)); err != nil {
		t.Error(err)
	}
	lines, err := k.store.Administration.Lines(t.Context(), audit.Query{
		Limit: 10, Action: audit.ChangeGroup, Before: audit.Place{At: math.MaxInt64, Number: math.MaxInt64},
	})
	if err != nil || len(lines) != 1 || lines[0].Actor.UserID != "boss" || lines[0].Target != k.id || lines[0].Detail != "closed" {
		t.Errorf("written down: %+v, %v", lines, err)
	}
}

// TestCreateOnce: a group that is asked for again under the same client id is the one that was made.
func TestCreateOnce(t *testing.T) {
	t.Parallel()
	k := newKept(t, reach{})
	asked := groups.NewGroup{Name: "crew", Members: []string{"bob", "cem"}, ClientID: "k"}
	made, err := k.Create(t.Context(), vendor("amy"), asked)
	k.expect(t, "at first", err, "", "room:added to 3", "chat:message to 3")
	asked.Members, asked.Name = []string{"cem", "amy", "bob"}, " crew"
	again, err := k.Create(t.Context(), vendor("amy"), asked)
	k.expect(t, "again", err, "")
	if again.Room != made.Room || again.IsNew() || !made.IsNew() {
		t.Errorf("made %+v, and again %+v", made, again)
	}
	asked.History = groups.FromStart
	_, err = k.Create(t.Context(), vendor("amy"), asked)
	k.expect(t, "another one", err, fault.Conflict)
	if _, err = k.Create(t.Context(), vendor("bob"), asked); err != nil {
		t.Errorf("of somebody else: %v", err)
	}
}

// raced is a store to which another server is faster.
type raced struct {
	groups.Store
	asked atomic.Int32
	gone  int32 // how often it is out of date
}

func (r *raced) ChangeGroup(ctx context.Context, room roles.ChatRoom, since int64, changes []groups.Change) ([]groups.Made, error) {
	if r.asked.Add(1) <= r.gone {
		return nil, groups.ErrOutdated
	}
	return r.Store.ChangeGroup(ctx, room, since, changes)
}

// TestChangedMeanwhile: what another server has changed meanwhile is read anew, and not for ever.
func TestChangedMeanwhile(t *testing.T) {
	t.Parallel()
	store := &raced{Store: sqlitetest.Open(t).Groups, gone: 2}
	service := newService(store, reach{})
	made, err := service.Create(t.Context(), vendor("amy"), groups.NewGroup{Name: "g", Members: []string{"bob"}})
	if err != nil {
		t.Fatal(err)
	}
	leave := groups.Removal{RoomID: made.Room.String(), Members: []string{"bob"}}
	if _, err := service.Remove(t.Context(), vendor("bob"), leave); err != nil || store.asked.Load() != 3 {
		t.Errorf("asked %d times, %v", store.asked.Load(), err)
	}
	store.gone = 1000
	if _, err := service.Remove(t.Context(), vendor("amy"), groups.Removal{RoomID: leave.RoomID, Members: []string{"amy"}}); servicetest.Code(err) != fault.Unavailable {
		t.Errorf("again and again: %v", err)
	}
	if errors.Is(err, groups.ErrOutdated) {
		t.Error("a client is told of it")
	}
}

// TestEntriesAsText: each type has a sentence for clients that know of none.
func TestEntriesAsText(t *testing.T) {
	t.Parallel()
	many := []string{"a", "b", "c", "d", "e"}
	for want, entry := range map[string]groups.Entry{
		"Ada made the group crew":                {Type: groups.EntryCreated, Name: "crew"},
		"Ada named the group crew":               {Type: groups.EntryRenamed, Name: "crew"},
		"Ada added a, b, c":                      {Type: groups.EntryAdded, Users: many[:3]},
		"Ada added a, b and 3 more":              {Type: groups.EntryAdded, Users: many},
		"Ada removed a":                          {Type: groups.EntryRemoved, Users: many[:1]},
		"Ada left":                               {Type: groups.EntryLeft, Users: many[:1]},
		"Ada left; the group belongs to b now":   {Type: groups.EntryLeft, Users: many[:1], Owner: "b"},
		"Ada handed the group over to b":         {Type: groups.EntryOwner, Owner: "b"},
		"Ada lets new members see the history":   {Type: groups.EntryHistory, History: groups.FromStart},
		"Ada hides the history from new members": {Type: groups.EntryHistory, History: groups.FromJoining},
		"Ada closed the group":                   {Type: groups.EntryClosed},
		"Ada changed the group":                  {Type: "of a later version"},
	} {
		if got := entry.Text("Ada"); got != want {
			t.Errorf("%s: %q, want %q", entry.Type, got, want)
		}
	}
	crowd := groups.Entry{Users: strings.Split(strings.Repeat("u", 150), "")}
	if listed := crowd.Listed(); len(listed.Users) != groups.MaxListed || listed.Count != 150 || len(crowd.Users) != 150 {
		t.Errorf("%d of %d are listed", len(listed.Users), listed.Count)
	}
}
