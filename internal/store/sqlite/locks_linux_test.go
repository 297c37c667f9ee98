package sqlite

import (
	"context"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The locks by which other processes know that somebody uses the file are kept whatever is looked at: without them the next one
// that reads it, for a backup, takes the index of the log to be nobody's and cuts it off under those who use it.
func TestFileStaysLockedWhileItIsWatched(t *testing.T) {
	db, _ := openFilled(t)
	index, err := os.Open(db.path + indexSuffix)
	must(t, err)
	t.Cleanup(func() { _ = index.Close() }) // not before: it would end the locks
	check := func(when string) {
		t.Helper()
		// The byte of https://www.sqlite.org/walformat.html that each connection holds a shared lock on. A lock of an open file
		// is refused for those that its own process holds, too, so this process can ask.
		const inUse = 128
		wanted := unix.Flock_t{Type: unix.F_WRLCK, Start: inUse, Len: 1}
		must(t, unix.FcntlFlock(index.Fd(), unix.F_OFD_GETLK, &wanted))
		if wanted.Type != unix.F_RDLCK {
			t.Fatalf("%s nobody seems to use the file: the lock is %d", when, wanted.Type)
		}
	}
	check("at first")
	must(t, addRows(db, 20))
	check("after a write")
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	db.lookAtFile(ctx)
	check("after a look at the file")
	must(t, db.quickCheck(ctx))
	check("after a check of the content")
}
