package groups_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat/groups"
	"rolecall/internal/services/chat/order"
	"rolecall/test/servicetest"
	"rolecall/test/sqlitetest"
)

// reach lets everybody write to everybody but to those named, of whom it says why not.
type reach map[string]error

func (r reach) MayWrite(_ context.Context, _ auth.Identity, userID string) error { return r[userID] }

// acquainted is People: everybody is acquainted with everybody but with those named.
type acquainted struct{ strangers []string }

func (a acquainted) Acquainted(_ context.Context, _ auth.Identity, userIDs []string) (map[string]bool, error) {
	known := make(map[string]bool)
	for _, userID := range userIDs {
		known[userID] = !slices.Contains(a.strangers, userID)
	}
	return known, nil
}

// newService is a service of somebody who is acquainted with everybody but "stranger".
func newService(store groups.Store, reach reach) *groups.Service {
	service, _ := newTold(store, reach)
	return service
}

// newTold is newService with what it tells.
func newTold(store groups.Store, reach reach) (*groups.Service, *servicetest.Recorder) {
	told := &servicetest.Recorder{}
	return groups.New(groups.Parts{
		Store: store, Reach: reach, People: acquainted{[]string{"stranger"}}, Order: order.NewLocal(told), Emit: told,
	}, servicetest.AtNoon), told
}

func TestCreate(t *testing.T) {
	t.Parallel()
	store := sqlitetest.Open(t).Groups
	service := newService(store, reach{})
	amy := servicetest.Person("amy", roles.Driver)
	others := func(n int) []string {
		ids := []string{}
		for i := range n {
			ids = append(ids, fmt.Sprintf("u%03d", i))
		}
		return ids
	}
	for name, test := range map[string]struct {
		members []string
		want    int
		code    fault.Code
	}{
		"two":               {[]string{"bob"}, 2, ""},
		"the maker named":   {[]string{"amy", "bob"}, 2, ""},
		"repeats":           {[]string{"bob", "bob", "cem", "bob"}, 3, ""},
		"as many as may be": {others(499), 500, ""},
		"one too many":      {others(500), 0, fault.InvalidPayload},
		"repeats of 499":    {append(others(499), others(400)...), 500, ""},
	} {
		t.Run(name, func(t *testing.T) {
			given := slices.Clone(test.members)
			created, err := service.Create(t.Context(), amy, groups.NewGroup{Name: "g", Members: test.members})
			if servicetest.Code(err) != test.code {
				t.Fatalf("%v, want %q", err, test.code)
			}
			if !slices.Equal(given, test.members) {
				t.Error("the caller's list was changed")
			}
			if test.code != "" {
				if fault.From(err).Field != "members" {
					t.Errorf("the fault names %q", fault.From(err).Field)
				}
				return
			}
			group, err := store.Group(t.Context(), created.Room)
			members := group.Members
			if err != nil || len(members) != test.want || !slices.Contains(members, "amy") || created.Room.Kind() != roles.GroupKind {
				t.Errorf("%s has %d members, want %d (%v)", created.Room, len(members), test.want, err)
			}
			if known, _, err := service.Members(t.Context(), created.Room); err != nil || !slices.Equal(known, members) {
				t.Errorf("the service knows %v, %v", known, err)
			}
		})
	}
}

// TestNames: a group is called something that a reader can see, in one line.
func TestNames(t *testing.T) {
	t.Parallel()
	store := &memory{}
	service, told := newTold(store, reach{})
	amy := servicetest.Person("amy", roles.Driver)
	for _, name := range []string{"", "  ", "\u200b", "\u3164", "\t\n", "a\nb", "a\r\nb", "a\x00b", "\x00", "a\u2028b", "a\x1b[31mb", "a\u0085b"} {
		_, err := service.Create(t.Context(), amy, groups.NewGroup{Name: name, Members: []string{"bob"}})
		if servicetest.Code(err) != fault.InvalidPayload || fault.From(err).Field != "name" {
			t.Errorf("%q: %v", name, err)
		}
	}
	if emitted := told.Take(); store.made != 0 || len(emitted) != 0 {
		t.Errorf("%d groups were stored, told was %v", store.made, emitted)
	}
	if _, err := service.Create(t.Context(), amy, groups.NewGroup{Name: " Night crew 🚚\n", Members: []string{"bob"}}); err != nil {
		t.Fatal(err)
	}
	if emitted := told.Take(); len(emitted) != 2 || !strings.Contains(emitted[0].Payload, `"name":"Night crew 🚚"`) {
		t.Errorf("told was %+v", emitted)
	}
}

// TestCreateRefuses: nobody comes into a group whom its maker may not write to, and no role without the permission makes one.
func TestCreateRefuses(t *testing.T) {
	t.Parallel()
	down := errors.New("directory broken")
	store := &memory{}
	service := newService(store, reach{
		"eve": fault.New(fault.Forbidden, "no"), "ghost": fault.New(fault.NotFound, "no"), "rot": down, "amy": down,
	})
	for name, test := range map[string]struct {
		who     auth.Identity
		members []string
		want    error
		code    fault.Code
	}{
		"a role that may not":    {auth.Identity{UserID: "amy", Role: "visitor"}, []string{"bob"}, nil, fault.Forbidden},
		"a member out of reach":  {servicetest.Person("amy", roles.Driver), []string{"bob", "eve"}, nil, fault.Forbidden},
		"a member never seen":    {servicetest.Person("amy", roles.Driver), []string{"ghost", "bob"}, nil, fault.NotFound},
		"the directory down":     {servicetest.Person("amy", roles.Driver), []string{"rot"}, down, fault.Unavailable},
		"a stranger":             {servicetest.Person("amy", roles.Driver), []string{"bob", "stranger"}, nil, fault.NotFound},
		"oneself is not checked": {servicetest.Person("amy", roles.Driver), []string{"amy", "bob"}, nil, ""},
	} {
		created, err := service.Create(t.Context(), test.who, groups.NewGroup{Name: "g", Members: test.members})
		if servicetest.Code(err) != test.code || test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.code)
		}
		if (created.Room == roles.ChatRoom{}) != (test.code != "") {
			t.Errorf("%s: made %v", name, created.Room)
		}
	}
	if store.made != 1 {
		t.Errorf("%d groups were stored", store.made)
	}
	store.failure = groups.ErrExists
	_, err := service.Create(t.Context(), servicetest.Person("amy", roles.Driver), groups.NewGroup{Name: "g", Members: []string{"bob"}})
	if servicetest.Code(err) != fault.Conflict {
		t.Errorf("a room of the same id: %v, want conflict", err)
	}
}
