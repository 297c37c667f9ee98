package sqlite_test

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"rolecall/internal/atrest"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/notices"
	"rolecall/internal/services/people"
	"rolecall/internal/services/tracking"
	"rolecall/internal/store"
	"rolecall/test/servicetest"
	"rolecall/test/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open returns a store on the file, closed at the end of t.
func open(t testing.TB, path string) *store.Store {
	t.Helper()
	opened, err := store.OpenSQLite(t.Context(), path, nil)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { closeStore(t, opened) })
	return opened
}

func closeStore(t testing.TB, store *store.Store) {
	t.Helper()
	if err := store.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// inspect opens the file beside the store, or without it.
func inspect(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func file(t testing.TB) string { return filepath.Join(t.TempDir(), "store.db") }

// suite is a store as the contract suite takes it.
func suite(s *store.Store) storetest.Store {
	return storetest.Store{

		Chat: s.Chat, Groups: s.Groups, Notices: s.Notices, People: s.People, Tracking: s.Tracking,
		Conversations: s.Conversations, Lists: s.Lists, Search: s.Search, Administration: s.Administration, Attachments: s.Attachments,
	}
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Store { return suite(open(t, file(t))) })
}

// TestContractEncrypted holds the store to what it promises of messages where they are encrypted.
func TestContractEncrypted(t *testing.T) {
	keys, err := atrest.ParseKeys("a:" + base64.StdEncoding.EncodeToString(make([]byte, atrest.KeyBytes)))
	if err != nil {
		t.Fatal(err)
	}
	storetest.Run(t, func(t *testing.T) storetest.Store {
		opened, err := store.OpenSQLiteWith(t.Context(), file(t), keys, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { closeStore(t, opened) })
		return suite(opened)
	}, "messages", "conversations", "search")
}

func TestReopened(t *testing.T) {
	storetest.RunReopened(t, func(t *testing.T) (storetest.Store, func() storetest.Store) {
		path := file(t)
		store := open(t, path)
		return suite(store), func() storetest.Store {
			closeStore(t, store)
			return suite(open(t, path))
		}
	})
}

func TestPathMayHoldAnyCharacter(t *testing.T) {
	for _, name := range []string{
		"plain.db", "with space.db", "100%.db", "a?b=c&mode=memory.db", "#1.db", "Größe 🚚.db", "a;b'c\".db",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			store := open(t, filepath.Join(dir, name))
			if err := store.Tracking.AppendPositions(t.Context(), nil, []tracking.Driver{{DriverID: "d1"}}); err != nil {
				t.Fatal(err)
			}
			drivers, err := store.Tracking.Drivers(t.Context())
			if err != nil || len(drivers) != 1 {
				t.Fatalf("%d drivers, error %v", len(drivers), err)
			}
			closeStore(t, store)
			var names []string
			if err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
				if !entry.IsDir() {
					names = append(names, entry.Name())
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
			// A closed store is one file: nothing is left in a write-ahead log.
			if diff := cmp.Diff([]string{name}, names); diff != "" {
				t.Fatalf("files (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	garbage := file(t)
	if err := os.WriteFile(garbage, []byte(strings.Repeat("this is no database ", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	newer := file(t)
	closeStore(t, open(t, newer))
	if _, err := inspect(t, newer).Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (999999, 1)"); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, path, says string }{
		{"an empty path", "", "empty"},
		{"a folder", t.TempDir(), "is a directory"},
		{"a folder that is not there", filepath.Join(t.TempDir(), "none", "store.db"), "no such file"},
		{"another kind of file", garbage, "not a database"},
		{"a newer schema", newer, "newer program"},
	} {
		t.Run(test.name, func(t *testing.T) {
			opened, err := store.OpenSQLite(t.Context(), test.path, nil)
			if err == nil {
				closeStore(t, opened)
			}
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("error %v, want one that says %q", err, test.says)
			}
		})
	}
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	path := file(t)
	store := open(t, path)
	if err := store.People.SaveUsers(t.Context(), []people.User{{UserID: "u1"}}); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("store.db%s has mode %o, want 600", suffix, mode)
		}
	}
}

func TestClosed(t *testing.T) {
	store := open(t, file(t))
	if err := store.Ping(t.Context()); err != nil {
		t.Fatalf("ping: %v", err)
	}
	closeStore(t, store)
	closeStore(t, store) // a second time is no failure
	_, sent := store.Chat.Apply(t.Context(), []chat.Change{chat.Append{Message: chat.Message{ID: "m", Room: servicetest.Room("r")}}})
	_, read := store.Chat.Head(t.Context(), servicetest.Room("r"))
	for name, err := range map[string]error{
		"ping": store.Ping(t.Context()), "append": sent, "read": read,
		"shared write": store.People.SaveUsers(t.Context(), []people.User{{UserID: "u1"}}),
	} {
		if err == nil {
			t.Errorf("%s: a closed store has answered", name)
		}
	}
}

// Who leaves while a small write waits for its turn has nothing to do with what the write finds out later. The race
// detector is the judge: the callers do nothing that puts their return before the write.
func TestCallersMayLeaveBeforeTheirWrites(t *testing.T) {
	const readers = 50
	path := file(t)
	store := open(t, path)
	if _, err := store.Chat.Apply(t.Context(), []chat.Change{chat.Append{Message: chat.Message{ID: "m", Room: servicetest.Room("r")}}}); err != nil {
		t.Fatal(err)
	}
	other := inspect(t, path)
	other.SetMaxOpenConns(1)
	if _, err := other.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer leave()
	var callers sync.WaitGroup
	defer callers.Wait()
	for i := range readers {
		id := fmt.Sprint(i)
		callers.Go(func() {
			_, marked := store.Chat.MarkRead(ctx, chat.ReadMark{Room: servicetest.Room("r"), UserID: id, Seq: 1})
			if !errors.Is(marked, context.DeadlineExceeded) {
				t.Errorf("error %v, want that of the context", marked)
			}
		})
		callers.Go(func() {
			_, _, marked := store.Notices.MarkNoticesRead(ctx, notices.Marking{Reader: notices.Reader{UserID: id, Rooms: []roles.Room{"x"}}, IDs: []string{"n"}})
			saved := store.People.SaveUsers(ctx, []people.User{{UserID: id}})
			if !errors.Is(marked, context.DeadlineExceeded) || !errors.Is(saved, context.DeadlineExceeded) {
				t.Errorf("errors %v and %v, want that of the context", marked, saved)
			}
		})
	}
	<-ctx.Done()
	if _, err := other.Exec("COMMIT"); err != nil {
		t.Fatal(err)
	}
	for marks := 0; marks < readers; {
		if err := other.QueryRow("SELECT count(*) FROM room_reads").Scan(&marks); err != nil {
			t.Fatal(err)
		}
	}
}

// A crash of the process is played by copying the files while the store is open: what is in them must be enough.
// That they are also flushed to the disk rests on synchronous=FULL, see TestConnectionSettings.
func TestAcknowledgedWritesSurviveACrash(t *testing.T) {
	path, copied := file(t), file(t)
	store := open(t, path)
	for seq := range int64(50) {
		_, err := store.Chat.Apply(t.Context(), []chat.Change{chat.Append{Message: chat.Message{
			ID: string(rune('A' + seq)), Room: servicetest.Room("room"), UserID: "u1"}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, suffix := range []string{"", "-wal"} {
		raw, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(copied+suffix, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := open(t, copied).Chat.Head(t.Context(), servicetest.Room("room")); err != nil || got != (chat.Head{Revision: 50, Seq: 50}) {
		t.Fatalf("after the crash the room's head is %+v, error %v; want 50", got, err)
	}
}

func TestFailedBatchLeavesNothing(t *testing.T) {
	store := open(t, file(t))
	message := func(id string) chat.Append {
		return chat.Append{Message: chat.Message{ID: id, Room: servicetest.Room("room"), UserID: "u1"}}
	}
	if _, err := store.Chat.Apply(t.Context(), []chat.Change{message("a"), message("b"), message("a")}); err == nil {
		t.Fatal("a message id was given twice without an error")
	}
	appended, err := store.Chat.Apply(t.Context(), []chat.Change{message("a")})
	if err != nil || appended[0].Seq != 1 {
		t.Fatalf("after a failed batch: %+v, error %v; want seq 1", appended, err)
	}
}

func TestOpenWithAnEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if opened, err := store.OpenSQLite(ctx, file(t), nil); err == nil {
		closeStore(t, opened)
		t.Fatal("a store was opened")
	}
}
