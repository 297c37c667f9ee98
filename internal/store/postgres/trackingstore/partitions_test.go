//go:build unix

package trackingstore_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"rolecall/internal/services/tracking"
	"rolecall/internal/store/postgres/trackingstore"
	"rolecall/test/servers"
)

func partitionsOf(t testing.TB, conn *pgx.Conn) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), `SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'positions'::regclass ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func expectPartitions(t testing.TB, conn *pgx.Conn, when string, want ...string) {
	t.Helper()
	for i := range want {
		want[i] = "positions_" + want[i]
	}
	if got := partitionsOf(t, conn); !slices.Equal(got, want) {
		t.Errorf("%s: the partitions are %v, want %v", when, got, want)
	}
}

// purge deletes until nothing more goes.
func purge(t testing.TB, store *trackingstore.Store, before time.Time) (gone int) {
	t.Helper()
	for {
		n, err := store.DeletePositionsBefore(t.Context(), before.UnixMilli())
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return gone
		}
		gone += n
	}
}

// TestDaysComeAndGo plays four days of a server: the days to come are there, those that positions come late for are made, and
// those that are too old go whole, on whichever server.
func TestDaysComeAndGo(t *testing.T) {
	url := servers.Database(t)
	now := time.Date(2026, 3, 10, 15, 0, 0, 0, time.UTC)
	at := func(days, hours int) int64 {
		return now.AddDate(0, 0, days).Add(time.Duration(hours) * time.Hour).UnixMilli()
	}
	clocked := func() *trackingstore.Store {
		store, err := trackingstore.NewAt(t.Context(), open(t, url), func() time.Time { return now })
		if err != nil {
			t.Fatal(err)
		}
		return store
	}
	here, there, conn := clocked(), clocked(), connect(t, url)
	expectPartitions(t, conn, "at the start", "20260310", "20260311", "20260312")
	d1 := driver("d1", "Ann")
	add(t, here, d1, fix("d1", at(0, 0)), fix("d1", at(-2, 0)), fix("d1", at(-2, 3)))
	add(t, there, d1, fix("d1", at(-1, 0)))
	expectPartitions(t, conn, "with late positions", "20260308", "20260309", "20260310", "20260311", "20260312")
	now = now.AddDate(0, 0, 1)
	add(t, there, d1, fix("d1", at(0, 0)))
	expectPartitions(t, conn, "a day later", "20260308", "20260309", "20260310", "20260311", "20260312", "20260313")

	if gone := purge(t, here, now.AddDate(0, 0, -2)); gone < 1 {
		t.Errorf("%d positions went with a day", gone)
	}
	expectPartitions(t, conn, "once a day is over", "20260309", "20260310", "20260311", "20260312", "20260313")
	if n := len(track(t, there, "d1")); n != 3 {
		t.Errorf("%d positions are left, want 3", n)
	}
	add(t, there, d1, fix("d1", at(-3, 0))) // comes late, and its day is made again
	expectPartitions(t, conn, "with a late one", "20260308", "20260309", "20260310", "20260311", "20260312", "20260313")
	purge(t, there, now.Add(-time.Hour)) // where positions are kept for an hour, a day is too long
	expectPartitions(t, conn, "where little is kept", "20260311", "20260312", "20260313")
	add(t, here, d1, fix("d1", at(0, -2)), fix("d1", at(0, -1)), fix("d1", at(0, 0)))
	if gone := purge(t, there, now.Add(-time.Hour)); gone != 1 {
		t.Errorf("%d positions went one by one, want 1", gone)
	}
	if n := len(track(t, here, "d1")); n != 2 {
		t.Errorf("%d positions are left, want 2", n)
	}
}

// TestTimesFarAway: positions of long ago share few partitions, and one of a time to come is refused, and nothing of its batch
// is stored.
func TestTimesFarAway(t *testing.T) {
	url := servers.Database(t)
	store, conn := newStore(t, url), connect(t, url)
	before := len(partitionsOf(t, conn))
	var batch []tracking.Position
	for year := -290_000_000; year < 2024; year += 97_003 {
		batch = append(batch, fix("d1", time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()))
	}
	for month := range 48 {
		batch = append(batch, fix("d1", time.Date(2019, time.Month(1+month), 3, 0, 0, 0, 0, time.UTC).UnixMilli()))
	}
	add(t, store, driver("d1", "Ann"), batch...)
	if made := len(partitionsOf(t, conn)) - before; made != 5 {
		t.Errorf("%d partitions were made, want 5: %v", made, partitionsOf(t, conn))
	}
	if n := len(track(t, store, "d1")); n != len(batch) {
		t.Errorf("%d of %d positions are stored", n, len(batch))
	}
	ahead := []tracking.Position{fix("d1", time.Now().UnixMilli()), fix("d1", time.Now().AddDate(0, 0, 5).UnixMilli())}
	err := store.AppendPositions(t.Context(), ahead, []tracking.Driver{driver("d1", "Ann")})
	if err == nil || !strings.Contains(err.Error(), "too far in the future") {
		t.Errorf("a position of next week: %v", err)
	}
	if n := len(track(t, store, "d1")); n != len(batch) {
		t.Errorf("%d positions are stored after a refused batch, want %d", n, len(batch))
	}
}
