package hostile_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/people"
	"rolecall/internal/services/tracking"
	"rolecall/internal/store"
	"rolecall/test/servicetest"
)

// sizes are how much is stored and how long attacks last.
type sizes struct {
	drivers, people, messages, long int
	attack, calm                    time.Duration
}

// soaking says whether the whole of it is asked for.
func soaking() bool { return os.Getenv("SOAK") == "1" }

func wanted() sizes {
	if soaking() {
		return sizes{drivers: 20_000, people: 100_000, messages: 200_000, long: 400, attack: 8 * time.Second, calm: 8 * time.Second}
	}
	return sizes{drivers: 500, people: 1000, messages: 2000, long: 250, attack: 1500 * time.Millisecond, calm: 500 * time.Millisecond}
}

// Rooms that are there.
const (
	largeRoom = "everything"
	longRoom  = "novels"
	victimCo  = "acme" // whose tokens the attackers have
)

// seed writes a database into a folder once, of which each attack gets a copy.
func seed(t *testing.T, size sizes) string {
	t.Helper()
	folder := t.TempDir()
	stores, err := store.OpenSQLite(context.Background(), filepath.Join(folder, "rolecall.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := stores.Close(); err != nil {
			t.Error(err)
		}
	}()
	seedDrivers(t, stores, size.drivers)
	seedPeople(t, stores, size.people)
	say(t, stores, largeRoom, size.messages, "On my way.")
	say(t, stores, longRoom, size.long, strings.Repeat("数", 5000))
	return folder
}

// atOnce is how much is written in a transaction.
const atOnce = 2000

func seedDrivers(t *testing.T, stores *store.Store, count int) {
	t.Helper()
	now := time.Now().UnixMilli()
	for from := 0; from < count; from += atOnce {
		var positions []tracking.Position
		var drivers []tracking.Driver
		for i := from; i < min(from+atOnce, count); i++ {
			company := victimCo
			if i%4 == 0 {
				company = fmt.Sprint("company-", i%100)
			}
			id := fmt.Sprint("driver-", i)
			positions = append(positions, tracking.Position{
				DriverID: id, CompanyID: company, Lat: 50 + float64(i%1000)/1000, Lng: 8 + float64(i%777)/1000, TS: now - 60_000,
			})
			drivers = append(drivers, tracking.Driver{DriverID: id, CompanyID: company, Username: "Driver " + fmt.Sprint(i)})
		}
		if err := stores.Tracking.AppendPositions(t.Context(), positions, drivers); err != nil {
			t.Fatal(err)
		}
	}
}

func seedPeople(t *testing.T, stores *store.Store, count int) {
	t.Helper()
	for from := 0; from < count; from += atOnce {
		var users []people.User
		for i := from; i < min(from+atOnce, count); i++ {
			users = append(users, people.User{
				UserID: fmt.Sprint("person-", i), Username: fmt.Sprint("Person Number ", i), Role: roles.Provider, LastSeen: time.Now().UnixMilli(),
			})
		}
		if err := stores.People.SaveUsers(t.Context(), users); err != nil {
			t.Fatal(err)
		}
	}
}

func say(t *testing.T, stores *store.Store, room string, count int, text string) {
	t.Helper()
	for from := 0; from < count; from += atOnce {
		var changes []chat.Change
		for i := from; i < min(from+atOnce, count); i++ {
			changes = append(changes, chat.Append{Message: chat.Message{
				ID: fmt.Sprintf("%s-%d", room, i), Room: servicetest.Room(room), UserID: fmt.Sprint("person-", i%100),
				Username: "Person", Role: roles.Provider, Text: text,
			}})
		}
		if _, err := stores.Chat.Apply(t.Context(), changes); err != nil {
			t.Fatal(err)
		}
	}
}
