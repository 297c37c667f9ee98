package sqlite_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"rolecall/internal/services/people"
	"rolecall/internal/store"
	"rolecall/internal/store/sqlite"
)

// meet has the directory know somebody, who is then among those a backup must have.
func meet(t testing.TB, s *store.Store, n int) {
	t.Helper()
	user := people.User{UserID: fmt.Sprintf("u%06d", n), Username: strings.Repeat("x", 100), Role: "vendor"}
	if err := s.People.SaveUsers(t.Context(), []people.User{user}); err != nil {
		t.Error(err)
	}
}

func usersIn(t testing.TB, path string) (count int) {
	t.Helper()
	if err := inspect(t, path).QueryRow("SELECT count(*) FROM users").Scan(&count); err != nil {
		t.Fatal(err)
	}
	return count
}

// A backup has everything that was written before it began, while writes go on, and nothing of one that is half done.
func TestBackupWhileWriting(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "live.db")
	live := open(t, path)
	var written atomic.Int64
	var done atomic.Bool
	var writing sync.WaitGroup
	writing.Go(func() {
		for n := 0; !done.Load(); n++ {
			meet(t, live, n)
			written.Store(int64(n + 1))
		}
	})
	defer func() { done.Store(true); writing.Wait() }()
	for round := range 5 {
		before := written.Load()
		to := filepath.Join(folder, fmt.Sprintf("copy-%d.db", round))
		size, err := sqlite.Backup(t.Context(), path, to, false)
		if err != nil {
			t.Fatal(err)
		}
		after := written.Load() + 1
		info, err := os.Stat(to)
		if err != nil || info.Size() != size || info.Mode().Perm() != 0o600 {
			t.Errorf("the copy: %v, %v, %d bytes told", info, err, size)
		}
		if got := int64(usersIn(t, to)); got < before || got > after {
			t.Errorf("%d users in the copy; there were from %d to %d", got, before, after)
		}
	}
	done.Store(true)
	writing.Wait()
	if left, err := filepath.Glob(filepath.Join(folder, ".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := live.Ping(t.Context()); err != nil {
		t.Errorf("the live file is in trouble: %v", err)
	}
}

func TestBackupReplacesNothingUnasked(t *testing.T) {
	folder := t.TempDir()
	path, to := filepath.Join(folder, "live.db"), filepath.Join(folder, "copy.db")
	closeStore(t, openOnce(t, path)) // a file that nobody uses can be backed up as well
	if err := os.WriteFile(to, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Backup(t.Context(), path, to, false); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a file: %v", err)
	}
	if content, err := os.ReadFile(to); err != nil || string(content) != "precious" {
		t.Errorf("the file is %q, %v", content, err)
	}
	if _, err := sqlite.Backup(t.Context(), path, to, true); err != nil || usersIn(t, to) != 0 {
		t.Errorf("asked to replace: %v", err)
	}
	for name, target := range map[string]string{"itself": path, "no folder": filepath.Join(folder, "no", "copy.db"), "a folder": folder} {
		if _, err := sqlite.Backup(t.Context(), path, target, true); err == nil {
			t.Errorf("to %s: no error", name)
		}
	}
	for _, missing := range []string{filepath.Join(folder, "none.db"), folder} {
		if _, err := sqlite.Backup(t.Context(), missing, filepath.Join(folder, "other.db"), false); err == nil {
			t.Errorf("of %s: no error", missing)
		}
	}
	if _, err := os.Stat(filepath.Join(folder, "other.db")); err == nil {
		t.Error("a backup that has failed has left a file")
	}
}

func openOnce(t testing.TB, path string) *store.Store {
	t.Helper()
	opened, err := store.OpenSQLite(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

// A restored file has what the backup has; what was there before is kept whole, its last commits included.
func TestRestore(t *testing.T) {
	folder := t.TempDir()
	path, copied := filepath.Join(folder, "live.db"), filepath.Join(folder, "copy.db")
	live := openOnce(t, path)
	for n := range 10 {
		meet(t, live, n)
	}
	if _, err := sqlite.Backup(t.Context(), path, copied, false); err != nil {
		t.Fatal(err)
	}
	for n := range 5 {
		meet(t, live, 10+n)
	}
	abandonWithLog(t, live, path)
	aside, err := sqlite.Restore(t.Context(), path, copied)
	if err != nil {
		t.Fatal(err)
	}
	if got := usersIn(t, aside); got != 15 {
		t.Errorf("%d users are kept aside", got)
	}
	again := open(t, path)
	meet(t, again, 99)
	if got := usersIn(t, path); got != 11 {
		t.Errorf("%d users after the restore and one more", got)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the restored file: %v, %v", info, err)
	}
}

// abandonWithLog leaves the files as they are at a power cut.
func abandonWithLog(t *testing.T, live *store.Store, path string) {
	t.Helper()
	kept := map[string][]byte{}
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		kept[suffix] = content
	}
	closeStore(t, live)
	for suffix, content := range kept {
		if err := os.WriteFile(path+suffix, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// What is no backup changes nothing.
func TestRestoreOfWhatIsNone(t *testing.T) {
	folder := t.TempDir()
	path, copied := filepath.Join(folder, "live.db"), filepath.Join(folder, "copy.db")
	live := openOnce(t, path)
	for n := range 1000 {
		meet(t, live, n)
	}
	closeStore(t, live)
	if _, err := sqlite.Backup(t.Context(), path, copied, false); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(copied)
	if err != nil {
		t.Fatal(err)
	}
	garbled := append([]byte(nil), whole...)
	for i := 3 * 4096; i < len(garbled)-4096; i++ {
		garbled[i] = 0x5a
	}
	for name, content := range map[string][]byte{
		"empty": {}, "text": []byte("this is no database"), "half": whole[:len(whole)/2], "garbled": garbled,
	} {
		bad := filepath.Join(folder, name)
		if err := os.WriteFile(bad, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if aside, err := sqlite.Restore(t.Context(), path, bad); err == nil || aside != "" {
			t.Errorf("%s: restored, %q aside", name, aside)
		}
	}
	newer := inspect(t, copied)
	if _, err := newer.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)"); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Restore(t.Context(), path, copied); err == nil || !strings.Contains(err.Error(), "newer program") {
		t.Errorf("a newer schema: %v", err)
	}
	if err := os.WriteFile(copied+"-wal", []byte("log"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Restore(t.Context(), path, copied); err == nil || !strings.Contains(err.Error(), "-wal") {
		t.Errorf("a file in use: %v", err)
	}
	if got := usersIn(t, path); got != 1000 {
		t.Errorf("%d users are left", got)
	}
	if left, err := filepath.Glob(path + ".*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
