//go:build unix

package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"rolecall/internal/atrest"
	"rolecall/internal/instant"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/search"
	"rolecall/internal/store"
	"rolecall/internal/words"
	"rolecall/test/servers"
	"rolecall/test/servicetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// database is one of either kind, which is opened with different keys.
type database struct {
	open func(t *testing.T, keys *atrest.Keys) *store.Store
	// exec changes it behind the stores' back; holds reports whether a text stands in it, in any form.
	exec  func(t *testing.T, statement string)
	holds func(t *testing.T, text string) bool
}

func onBoth(t *testing.T, test func(t *testing.T, db database)) {
	t.Run("sqlite", func(t *testing.T) { test(t, inFile(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, onServer(t)) })
}

func inFile(t *testing.T) database {
	path := filepath.Join(t.TempDir(), "test.db")
	return database{
		open: func(t *testing.T, keys *atrest.Keys) *store.Store {
			t.Helper()
			opened, err := store.OpenSQLiteWith(t.Context(), path, keys, nil)
			check(t, err)
			return opened
		},
		exec: func(t *testing.T, statement string) {
			t.Helper()
			db, err := sql.Open("sqlite", path)
			check(t, err)
			_, err = db.Exec(statement)
			check(t, errors.Join(err, db.Close()))
		},
		holds: func(t *testing.T, text string) bool {
			t.Helper()
			found := false
			for _, suffix := range []string{"", "-wal"} {
				content, err := os.ReadFile(path + suffix)
				if err != nil && (suffix == "" || !errors.Is(err, os.ErrNotExist)) {
					t.Fatal(err)
				}
				found = found || bytes.Contains(content, []byte(text))
			}
			return found
		},
	}
}

func onServer(t *testing.T) database {
	url := servers.Database(t)
	connect := func(t *testing.T) *pgx.Conn {
		t.Helper()
		conn, err := pgx.Connect(t.Context(), url)
		check(t, err)
		return conn
	}
	return database{
		open: func(t *testing.T, keys *atrest.Keys) *store.Store {
			t.Helper()
			opened, err := store.OpenPostgresWith(t.Context(), url, keys, nil)
			check(t, err)
			return opened
		},
		exec: func(t *testing.T, statement string) {
			t.Helper()
			conn := connect(t)
			_, err := conn.Exec(t.Context(), statement)
			check(t, errors.Join(err, conn.Close(context.Background())))
		},
		holds: func(t *testing.T, text string) bool {
			t.Helper()
			conn := connect(t)
			defer func() { check(t, conn.Close(context.Background())) }()
			rows, err := conn.Query(t.Context(), `SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')`)
			check(t, err)
			tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
			check(t, err)
			for _, table := range tables {
				var found bool
				check(t, conn.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM `+table+` x WHERE x::text LIKE $1 OR x::text LIKE $2)`,
					"%"+text+"%", "%"+hex.EncodeToString([]byte(text))+"%").Scan(&found))
				if found {
					return true
				}
			}
			return false
		},
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// keysOf reads keys by their names, in which old and new stand for keys of those ids.
func keysOf(t *testing.T, names ...string) *atrest.Keys {
	t.Helper()
	var list []string
	for _, name := range names {
		if name != atrest.Plain {
			name += ":" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat(name, atrest.KeyBytes)[:atrest.KeyBytes]))
		}
		list = append(list, name)
	}
	keys, err := atrest.ParseKeys(strings.Join(list, ","))
	check(t, err)
	return keys
}

var room = servicetest.Room("dm:ada:ben")

func say(t testing.TB, s *store.Store, n int, text string) {
	t.Helper()
	_, err := s.Chat.Apply(context.Background(), []chat.Change{chat.Append{Message: chat.Message{
		ID: fmt.Sprint(n), Room: room, UserID: "ada", Username: "Ada", Role: roles.Admin, Text: text, Timestamp: instant.Stamp(1000 + n), ClientID: fmt.Sprint("c", n),
	}}})
	check(t, err)
}

func edit(t testing.TB, s *store.Store, n int, text string) {
	t.Helper()
	deed := chat.Deed{Room: room, MessageID: fmt.Sprint(n), At: 9000}
	deed.By.UserID = "ada"
	made, err := s.Chat.Apply(context.Background(), []chat.Change{chat.Edit{Deed: deed, Text: text}})
	check(t, errors.Join(err, made[0].Refused))
}

// texts are those of the room.
func texts(t *testing.T, s *store.Store) []string {
	t.Helper()
	messages, err := s.Chat.History(t.Context(), room, chat.Page{After: chat.FromStart, Limit: 100_000})
	check(t, err)
	var all []string
	for i := range messages {
		all = append(all, messages[i].Text)
	}
	return all
}

func found(t *testing.T, s *store.Store, query string) (int, error) {
	t.Helper()
	for more := true; more; {
		var err error
		more, err = s.Search.Index(t.Context())
		check(t, err)
	}
	wanted := words.Parse(query)
	result, err := s.Search.Search(t.Context(), search.Asked{
		UserID: "ben", Terms: wanted.Terms(), Below: search.Top(), Limit: 1000,
		Accepts: func(m *chat.Message) bool { return len(wanted.Find(m.Text)) > 0 },
	})
	return len(result.Messages), err
}

func reencrypt(t *testing.T, s *store.Store) (all atrest.Progress) {
	t.Helper()
	for {
		done, err := s.Texts.Reencrypt(t.Context(), all.Next)
		check(t, err)
		all = atrest.Progress{Looked: all.Looked + done.Looked, Changed: all.Changed + done.Changed, Unreadable: all.Unreadable + done.Unreadable, Next: done.Next}
		if done.Looked == 0 {
			return all
		}
	}
}

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if fmt.Sprint(want) != fmt.Sprint(got) {
		t.Fatalf("%s: want %v, got %v", what, want, got)
	}
}

// What is said and edited under a key is read and found, and stands nowhere in the database.
func TestNothingOfTheTextIsStored(t *testing.T) {
	onBoth(t, func(t *testing.T, db database) {
		s := db.open(t, keysOf(t, "old"))
		say(t, s, 1, "the needle lies in the haystack")
		say(t, s, 2, "another needle")
		edit(t, s, 2, "another haystack")
		same(t, "texts", []string{"the needle lies in the haystack", "another haystack"}, texts(t, s))
		quotes, err := s.Chat.Quotes(t.Context(), room, []string{"1"})
		check(t, err)
		same(t, "quoted", "the needle lies in the haystack", quotes["1"].Text)
		n, err := found(t, s, "haystack")
		same(t, "found", "2 <nil>", fmt.Sprint(n, " ", err))
		for _, text := range []string{"needle", "haystack"} {
			if db.holds(t, text) {
				t.Errorf("%s stands in the database", text)
			}
		}
		again, err := s.Chat.Apply(t.Context(), []chat.Change{chat.Append{Message: chat.Message{
			ID: "other", Room: room, UserID: "ada", Text: "another needle", ClientID: "c2", Timestamp: 2000,
		}}})
		check(t, err)
		if !again[0].Replayed || again[0].Said == 0 {
			t.Errorf("sent again after it was edited: %+v", again[0])
		}
		check(t, s.Close())
		for _, text := range []string{"needle", "haystack"} {
			if db.holds(t, text) {
				t.Errorf("%s stands in the database once it is closed", text)
			}
		}
	})
}

// A text counts for nothing in the place of another, in the room of others, or changed.
func TestSwappedRowsAreRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, db database) {
		s := db.open(t, keysOf(t, "old"))
		say(t, s, 1, "yes")
		say(t, s, 2, "no")
		check(t, s.Close())
		db.exec(t, `UPDATE messages SET text = (SELECT text FROM messages WHERE message_id = '2') WHERE message_id = '1'`)
		s = db.open(t, keysOf(t, "old"))
		same(t, "texts", []string{atrest.NotAsKept, "no"}, texts(t, s))
		n, err := found(t, s, "no")
		same(t, "found", "1 <nil>", fmt.Sprint(n, " ", err))
		check(t, s.Close())
		db.exec(t, `UPDATE rooms SET room_id = 'dm:ada:eve'`)
		s = db.open(t, keysOf(t, "old"))
		messages, err := s.Chat.History(t.Context(), servicetest.Room("dm:ada:eve"), chat.Page{Limit: 10})
		check(t, err)
		same(t, "in another's room", atrest.NotAsKept, messages[1].Text)
		check(t, s.Close())
	})
}

// A key is followed by another, and by none; what has no key does not keep others from being read.
func TestKeysRotate(t *testing.T) {
	onBoth(t, func(t *testing.T, db database) {
		s := db.open(t, nil)
		say(t, s, 1, "plain needle")
		check(t, s.Close())

		s = db.open(t, keysOf(t, "old"))
		say(t, s, 2, "old needle")
		edit(t, s, 2, "old needle, edited")
		check(t, s.Close())

		s = db.open(t, keysOf(t, "new", "old"))
		say(t, s, 3, "new needle")
		all := []string{"plain needle", "old needle, edited", "new needle"}
		same(t, "with both keys", all, texts(t, s))
		n, err := found(t, s, "needle")
		same(t, "found with both keys", "3 <nil>", fmt.Sprint(n, " ", err))
		check(t, s.Close())

		s = db.open(t, keysOf(t, "new"))
		same(t, "with the new one", []string{"plain needle", atrest.KeyMissing, "new needle"}, texts(t, s))
		same(t, "reencrypted with the new one", "3 1 1", progress(reencrypt(t, s)))
		check(t, s.Close())

		s = db.open(t, nil)
		same(t, "without keys", []string{atrest.KeyMissing, atrest.KeyMissing, atrest.KeyMissing}, texts(t, s))
		if _, err := found(t, s, "needle"); !errors.Is(err, search.ErrKeyMissing) {
			t.Errorf("search without keys: %v", err)
		}
		say(t, s, 4, "a needle without keys")
		check(t, s.Close())

		s = db.open(t, keysOf(t, "new", "old"))
		same(t, "reencrypted", "4 2 0", progress(reencrypt(t, s)))
		same(t, "reencrypted again", "4 0 0", progress(reencrypt(t, s)))
		check(t, s.Close())
		if db.holds(t, "needle") {
			t.Error("what was not encrypted before stands in the database")
		}

		s = db.open(t, keysOf(t, "new"))
		all = append(all, "a needle without keys")
		same(t, "by the new key alone", all, texts(t, s))
		n, err = found(t, s, "needle")
		same(t, "found by the new key alone", "4 <nil>", fmt.Sprint(n, " ", err))
		check(t, s.Close())

		s = db.open(t, keysOf(t, "plain", "new"))
		same(t, "decrypted", "4 4 0", progress(reencrypt(t, s)))
		check(t, s.Close())
		s = db.open(t, nil)
		same(t, "without keys again", all, texts(t, s))
		n, err = found(t, s, "needle")
		same(t, "found without keys", "4 <nil>", fmt.Sprint(n, " ", err))
		check(t, s.Close())
	})
}

func progress(p atrest.Progress) string { return fmt.Sprint(p.Looked, p.Changed, p.Unreadable) }

// While people write and edit, messages are kept by another key; broken off and begun again, until all are.
func TestReencryptWhileWriting(t *testing.T) {
	onBoth(t, func(t *testing.T, db database) {
		const before, during = 2500, 200
		s := db.open(t, nil)
		changes := make([]chat.Change, before)
		for i := range changes {
			changes[i] = chat.Append{Message: chat.Message{
				ID: fmt.Sprint(i), Room: room, UserID: "ada", Username: "Ada", Role: roles.Admin, Text: fmt.Sprint("text ", i), Timestamp: 1,
			}}
		}
		_, err := s.Chat.Apply(t.Context(), changes)
		check(t, err)
		check(t, s.Close())

		s = db.open(t, keysOf(t, "new"))
		want := make(map[string]string)
		for i := range before {
			want[fmt.Sprint(i)] = fmt.Sprint("text ", i)
		}
		var writing sync.WaitGroup
		writing.Go(func() {
			for i := range during {
				say(t, s, before+i, fmt.Sprint("said ", i))
				edit(t, s, i*10, fmt.Sprint("edited ", i))
			}
		})
		for i := range during {
			want[fmt.Sprint(before+i)], want[fmt.Sprint(i*10)] = fmt.Sprint("said ", i), fmt.Sprint("edited ", i)
		}
		broken, cancel := context.WithCancel(t.Context())
		first, err := s.Texts.Reencrypt(broken, atrest.Mark{})
		check(t, err)
		cancel()
		if _, err := s.Texts.Reencrypt(broken, first.Next); err == nil {
			t.Error("it goes on though it was broken off")
		}
		again := reencrypt(t, s)
		writing.Wait()
		if again.Unreadable > 0 || first.Changed == 0 || again.Changed > before-first.Changed {
			t.Errorf("first %+v, then %+v", first, again)
		}
		check(t, s.Close())
		s = db.open(t, keysOf(t, "new"))
		same(t, "is left to do", 0, reencrypt(t, s).Changed)
		messages, err := s.Chat.MessagesSince(t.Context(), room, 0, 1<<40, 1<<20)
		check(t, err)
		for i := range messages {
			same(t, "message "+messages[i].ID, want[messages[i].ID], messages[i].Text)
		}
		same(t, "messages", len(want), len(messages))
		check(t, s.Close())
		db.exec(t, "VACUUM") // which makes the file anew: copies that its pages have left behind are gone as well
		if db.holds(t, "text 1") {
			t.Error("what was not encrypted before stands in the database")
		}
	})
}
