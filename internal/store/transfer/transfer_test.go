//go:build unix

package transfer_test

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"rolecall/internal/audit"
	"rolecall/internal/instant"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/notices"
	"rolecall/internal/services/people"
	"rolecall/internal/services/tracking"
	"rolecall/internal/store"
	"rolecall/internal/store/transfer"
	"rolecall/test/servers"
	"rolecall/test/servicetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const hostile = "nul \x00 and 🚚 and \u202e"

func logger(t *testing.T) *slog.Logger { return slog.New(slog.NewTextHandler(t.Output(), nil)) }

// alter runs a statement beside what is tested.
func alter(t *testing.T, url, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	check(t, "connect", err)
	defer func() { _ = conn.Close(context.Background()) }()
	_, err = conn.Exec(t.Context(), statement)
	check(t, statement, err)
}

// check fails the test where something has failed.
func check(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// fill puts something of every kind into a store.
func fill(t *testing.T, s *store.Store) {
	t.Helper()
	ctx, now := t.Context(), time.Now().UnixMilli()
	var users []people.User
	for i := range 300 {
		users = append(users, people.User{UserID: fmt.Sprintf("u%d", i), Username: fmt.Sprint(hostile, i), Role: roles.Driver, CompanyID: "acme", LastSeen: int64(i)})
	}
	check(t, "people", s.People.SaveUsers(ctx, users))
	var changes []chat.Change
	for i := range 200 {
		changes = append(changes, chat.Append{Message: chat.Message{ID: fmt.Sprint("m", i), Room: servicetest.Room(fmt.Sprint("room", i%3)),
			UserID: "u1", Username: hostile, Text: hostile, ClientID: fmt.Sprint("c", i), Timestamp: instant.Stamp(now + int64(i))}})
	}
	_, err := s.Chat.Apply(ctx, changes)
	check(t, "messages", err)
	_, err = s.Chat.MarkRead(ctx, chat.ReadMark{Room: servicetest.Room("room0"), UserID: "u2", Seq: 5})
	check(t, "read mark", err)
	var positions []tracking.Position
	for i := range 500 {
		p := tracking.Position{DriverID: fmt.Sprint("u", i%7), CompanyID: "acme", TS: now - int64(i)*3_600_000, Lat: math.Copysign(0, -1), Lng: float64(i)}
		if i%2 == 0 {
			speed, seq := float64(i), int64(i)
			p.Speed, p.Seq = &speed, &seq
		}
		positions = append(positions, p)
	}
	check(t, "positions", s.Tracking.AppendPositions(ctx, positions, []tracking.Driver{{DriverID: "u1", CompanyID: "acme", Username: hostile}}))
	for i := range 20 {
		n := notices.Addressed{Notice: notices.Notice{ID: fmt.Sprint("n", i), Title: hostile, Body: hostile, Severity: "info", CreatedAt: instant.Stamp(now),
			From: notices.Sender{UserID: "root", Username: hostile}}, Rooms: []roles.Room{"user:u1", "role:driver"}}
		if i%2 == 0 {
			n.Data = []byte(`{"a": [1,  2]}`)
		}
		_, err := s.Notices.Apply(ctx, []notices.Change{{Create: &n, Once: notices.Idempotency{UserID: "root", Key: fmt.Sprint("k", i), Digest: "d"}}})
		check(t, "notice", err)
	}
	_, err = s.Notices.Apply(ctx, []notices.Change{{Retract: "n3", At: now}})
	check(t, "retraction", err)
	reader := notices.Reader{UserID: "u1", Rooms: []roles.Room{"user:u1"}}
	_, _, err = s.Notices.MarkNoticesRead(ctx, notices.Marking{Reader: reader, IDs: []string{"n0", "n5", "n7"}})
	check(t, "notices read", err)
	_, _, err = s.Administration.Revoke(ctx, audit.Line{At: 5, Actor: audit.Actor{UserID: "root", Username: hostile}, Action: audit.RevokeUser, Target: "u9", Key: "k"}, 0)
	check(t, "revocation", err)
}

// picture is what a store answers.
func picture(t *testing.T, s *store.Store) map[string]any {
	t.Helper()
	ctx, all := t.Context(), map[string]any{}
	note := func(name string) func(any, error) {
		return func(value any, err error) {
			t.Helper()
			check(t, name, err)
			all[name] = value
		}
	}
	users, err := s.People.Users(ctx, people.UserQuery{}, "", 1000)
	note("users")(users, err)
	found, _, err := s.People.Search(ctx, people.UserQuery{Text: "nul"}, "", 50)
	note("found")(found, err)
	for i := range 3 {
		room := servicetest.Room(fmt.Sprint("room", i))
		head, err := s.Chat.Head(ctx, room)
		note(fmt.Sprint("head ", i))(head, err)
	}
	drivers, err := s.Tracking.Drivers(ctx)
	note("drivers")(drivers, err)
	track, err := s.Tracking.Track(ctx, tracking.TrackQuery{DriverID: "u1"}, tracking.Place{TS: math.MinInt64}, 1000)
	note("track")(track, err)
	stored, err := s.Notices.Notices(ctx, math.MaxInt64, 100)
	note("notices")(stored, err)
	last, err := s.Notices.LastChange(ctx)
	note("last change")(last, err)
	inbox, unread, err := s.Notices.Inbox(ctx, notices.InboxPage{Reader: notices.Reader{UserID: "u1", Rooms: []roles.Room{"user:u1"}}, AsOf: last, Limit: 100})
	note("inbox")(inbox, err)
	note("unread")(unread, nil)
	lines, err := s.Administration.Lines(ctx, audit.Query{Before: audit.Place{At: math.MaxInt64}, Limit: 10})
	note("lines")(lines, err)
	revoked, err := s.Administration.Revocations(ctx, 0)
	note("revocations")(revoked, err)
	return all
}

func TestEverythingArrives(t *testing.T) {
	path, url := filepath.Join(t.TempDir(), "rolecall.db"), servers.Database(t)
	from, err := store.OpenSQLite(t.Context(), path, nil)
	check(t, "open file", err)
	fill(t, from)
	before := picture(t, from)
	check(t, "close file", from.Close())

	carried, err := transfer.Run(t.Context(), path, url, logger(t))
	check(t, "carry over", err)
	rows := map[string]int64{}
	for _, table := range carried {
		if rows[table.Name] = table.Rows; len(table.Digest) != 64 {
			t.Errorf("the digest of %s is %q", table.Name, table.Digest)
		}
	}
	for table, want := range map[string]int64{"users": 300, "messages": 200, "positions": 500, "notices": 20, "notice_rooms": 40, "audit": 1, "revocations": 1, "rooms": 3, "drivers": 7} {
		if rows[table] != want {
			t.Errorf("%s: %d rows, want %d", table, rows[table], want)
		}
	}

	to, err := store.OpenPostgres(t.Context(), url, nil)
	check(t, "open database", err)
	if diff := cmp.Diff(before, picture(t, to), cmpopts.EquateComparable(roles.ChatRoom{})); diff != "" {
		t.Errorf("the stores differ (-file +database):\n%s", diff)
	}
	// Numbers go on where they were.
	placed, err := to.Chat.Apply(t.Context(), []chat.Change{chat.Append{Message: chat.Message{ID: "new", Room: servicetest.Room("room4"), UserID: "u1"}}})
	if check(t, "write on", err); len(placed) != 1 || placed[0].Seq != 1 {
		t.Errorf("a message in a new room: %+v", placed)
	}
	fillAgain := tracking.Position{DriverID: "another", CompanyID: "acme", TS: time.Now().UnixMilli()}
	check(t, "a new driver", to.Tracking.AppendPositions(t.Context(), []tracking.Position{fillAgain}, nil))
	check(t, "close database", to.Close())

	if _, err := transfer.Run(t.Context(), path, url, logger(t)); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("carried over a second time: %v", err)
	}
}

func TestNothingArrivesWhereItIsBrokenOff(t *testing.T) {
	path, url := filepath.Join(t.TempDir(), "rolecall.db"), servers.Database(t)
	from, err := store.OpenSQLite(t.Context(), path, nil)
	check(t, "open file", err)
	fill(t, from)
	check(t, "close file", from.Close())
	to, err := store.OpenPostgres(t.Context(), url, nil)
	check(t, "open database", err)
	check(t, "close database", to.Close())
	alter(t, url, `ALTER TABLE revocations ADD CHECK (user_id <> 'u9')`) // the last table refuses
	if _, err := transfer.Run(t.Context(), path, url, logger(t)); err == nil || !strings.Contains(err.Error(), "revocations") {
		t.Fatalf("error %v, want one that names the table", err)
	}
	to, err = store.OpenPostgres(t.Context(), url, nil)
	check(t, "open database", err)
	defer func() { check(t, "close database", to.Close()) }()
	users, err := to.People.Users(context.Background(), people.UserQuery{}, "", 10)
	if check(t, "users", err); len(users) > 0 {
		t.Errorf("%d users have arrived", len(users))
	}
}

// Whatever the schema has is carried over: a table or a column that is added to it is missed here.
func TestEveryColumnIsCarriedOver(t *testing.T) {
	url := servers.Database(t)
	opened, err := store.OpenPostgres(t.Context(), url, nil)
	check(t, "open database", err)
	check(t, "close database", opened.Close())
	conn, err := pgx.Connect(t.Context(), url)
	check(t, "connect", err)
	defer func() { _ = conn.Close(context.Background()) }()
	rows, err := conn.Query(t.Context(), `SELECT c.relname || '.' || a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0
			AND NOT a.attisdropped AND c.relname NOT IN ('goose_db_version', 'notice_changes', 'audit_kept', 'message_terms', 'message_index')`)
	check(t, "list columns", err)
	there, err := pgx.CollectRows(rows, pgx.RowTo[string])
	check(t, "list columns", err)
	slices.Sort(there)
	if diff := cmp.Diff(there, transfer.Columns()); diff != "" {
		t.Errorf("columns (-database +carried over):\n%s", diff)
	}
}
