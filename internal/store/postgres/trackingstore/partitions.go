package trackingstore

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"rolecall/internal/services/tracking"
	"rolecall/internal/store/postgres"
)

const (
	// partitionLock is the number of the advisory lock that is held while partitions are made and dropped.
	partitionLock = 0x726f6c65706f7301 // rolepos
	// lockPartitions is asked first, so that nobody waits for the lock with the table locked.
	lockPartitions = `SELECT pg_advisory_xact_lock($1)`
	// lookEvery is how often partitions are made ahead.
	lookEvery = time.Hour
	// dropPatience is how long the positions may be held up for a partition to be dropped, and dropAttempts how often that is
	// tried: it needs a moment in which nobody reads or writes any.
	dropPatience = 500 * time.Millisecond
	dropAttempts = 5
	// deleteChunk bounds the rows deleted in one transaction where a partition is not dropped whole.
	deleteChunk = 5000
	// wholeDays is how long positions are kept at least where a day of them goes at once, when all of it is too old. Where they
	// are kept for less, a day would be too long.
	wholeDays = 2 * 24 * time.Hour
)

// selectPartitions selects the partitions, and about how many rows each has.
const selectPartitions = `SELECT c.relname, pg_get_expr(c.relpartbound, c.oid),
		greatest(c.reltuples::bigint, pg_stat_get_tuples_inserted(c.oid) - pg_stat_get_tuples_deleted(c.oid), 1)
	FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'positions'::regclass ORDER BY c.relname`

// partition is one of the table of positions.
type partition struct {
	span
	name string
	rows int // about
}

// partitions makes and drops the partitions of positions.
type partitions struct {
	db  *postgres.DB
	now func() time.Time

	mu     sync.Mutex
	looked time.Time // when they were made ahead last, or that was tried
}

// makeAhead makes those of today and of the days to come.
func (p *partitions) makeAhead(ctx context.Context) error {
	now := p.now()
	times := make([]int64, 0, aheadDays+1)
	for day := range int64(aheadDays + 1) {
		times = append(times, now.UnixMilli()+day*dayMillis)
	}
	return p.make(ctx, times)
}

// keepAhead is makeAhead now and then, by one of those who append. Where it fails nobody is held up: whoever finds that a
// partition is missing makes it, and is told why that cannot be.
func (p *partitions) keepAhead(ctx context.Context) {
	now := p.now()
	p.mu.Lock()
	since := now.Sub(p.looked)
	due := since < 0 || since >= lookEvery
	if due {
		p.looked = now
	}
	p.mu.Unlock()
	if due {
		_ = p.makeAhead(ctx)
	}
}

// makeFor makes what positions need.
func (p *partitions) makeFor(ctx context.Context, positions []tracking.Position) error {
	times := make([]int64, 0, len(positions))
	for i := range positions {
		times = append(times, positions[i].TS)
	}
	slices.Sort(times)
	return p.make(ctx, times)
}

// make makes the partitions for some times that are not there.
func (p *partitions) make(ctx context.Context, times []int64) error {
	err := p.db.Write(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		if _, err := tx.Exec(ctx, lockPartitions, int64(partitionLock)); err != nil {
			return err
		}
		existing, err := scanPartitions(tx.Query(ctx, selectPartitions))
		if err != nil {
			return err
		}
		spans := make([]span, 0, len(existing)+1)
		for _, one := range existing {
			spans = append(spans, one.span)
		}
		for _, ts := range times {
			wanted, needed, err := spanFor(ts, p.now(), spans)
			if err != nil {
				return err
			}
			if !needed {
				continue
			}
			if err := attach(ctx, tx, wanted); err != nil {
				return err
			}
			spans = append(spans, wanted)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("make partitions of positions: %w", err)
	}
	return nil
}

// attach makes a partition. It is made as a table of its own, which is then attached: that waits for nobody who reads or
// writes positions. Two positions that are the same but for the server's time, which both have, are the same if they come
// within 24 hours, so within a day an index says it, whichever servers they come to.
func attach(ctx context.Context, tx *postgres.Tx, wanted span) error {
	name, unique := pgx.Identifier{nameOf(wanted)}.Sanitize(), ""
	if wanted.isDay() {
		unique = "UNIQUE "
	}
	for _, statement := range []string{
		"CREATE TABLE " + name + " (LIKE positions INCLUDING DEFAULTS)",
		"ALTER TABLE " + name + " ADD PRIMARY KEY (driver, ts, digest)",
		"CREATE " + unique + "INDEX ON " + name + " (driver, digest) WHERE stamped",
		"ALTER TABLE positions ATTACH PARTITION " + name + " FOR VALUES FROM (" + bound(wanted.from) + ") TO (" + bound(wanted.to) + ")",
	} {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// nameOf names a partition by when it begins, and when it ends where it is not a day's.
func nameOf(s span) string {
	const day, moment = "20060102", "20060102150405.000"
	from, to := time.UnixMilli(s.from).UTC(), time.UnixMilli(s.to).UTC()
	switch {
	case s.from == math.MinInt64:
		return "positions_before_" + to.Format(day)
	case s == dayOf(s.from):
		return "positions_" + from.Format(day)
	default:
		return "positions_" + strings.ReplaceAll(from.Format(moment)+"_"+to.Format(moment), ".", "")
	}
}

func bound(ts int64) string {
	if ts == math.MinInt64 {
		return "MINVALUE"
	}
	return strconv.FormatInt(ts, 10)
}

func scanPartitions(rows pgx.Rows, failed error) ([]partition, error) {
	return postgres.Collect(rows, failed, scanPartition)
}

func scanPartition(row postgres.Scanner) (found partition, err error) {
	var bounds string
	if err := row.Scan(&found.name, &bounds, &found.rows); err != nil {
		return found, err
	}
	found.span, err = parseBounds(bounds)
	return found, err
}

// parseBounds reads what the database says of a partition's bounds.
func parseBounds(bounds string) (s span, err error) {
	form := regexp.MustCompile(`^FOR VALUES FROM \((?:MINVALUE|'(-?\d+)')\) TO \('(-?\d+)'\)$`)
	found := form.FindStringSubmatch(bounds)
	if found == nil {
		return span{}, fmt.Errorf("positions have a partition that this program has not made: %s", bounds)
	}
	s.from = math.MinInt64
	if found[1] != "" {
		if s.from, err = strconv.ParseInt(found[1], 10, 64); err != nil {
			return span{}, err
		}
	}
	s.to, err = strconv.ParseInt(found[2], 10, 64)
	return s, err
}

// DeletePositionsBefore implements tracking.Store. A partition of which all is older is dropped, and nothing is searched for
// it; the count is then the database's estimate. Of a day of which a part is older nothing goes before the rest of it, unless
// positions are kept for less than two days: then, and in the partitions of years, row by row.
func (s *Store) DeletePositionsBefore(ctx context.Context, ts int64) (int, error) {
	gone, err := s.deleteBefore(ctx, ts)
	if err != nil {
		return 0, fmt.Errorf("delete positions: %w", err)
	}
	return gone, nil
}

func (s *Store) deleteBefore(ctx context.Context, ts int64) (int, error) {
	existing, err := postgres.ReadAll(ctx, s.db, selectPartitions, scanPartition)
	if err != nil {
		return 0, err
	}
	slices.SortFunc(existing, func(a, b partition) int { return int(min(max(a.to-b.to, -1), 1)) })
	for _, old := range existing {
		if old.to <= ts {
			if err := s.partitions.drop(ctx, old); err != nil {
				return 0, err
			}
			return old.rows, nil
		}
	}
	kept := s.now().Sub(time.UnixMilli(ts))
	for _, part := range existing {
		if part.from < ts && (!part.isDay() || kept < wholeDays) {
			if gone, err := s.deleteRows(ctx, part, ts); gone > 0 || err != nil {
				return gone, err
			}
		}
	}
	return 0, nil
}

// drop drops a partition, unless another server has done so.
func (p *partitions) drop(ctx context.Context, old partition) error {
	for attempt := 1; ; attempt++ {
		err := p.db.Write(ctx, func(ctx context.Context, tx *postgres.Tx) error {
			if _, err := tx.Exec(ctx, lockPartitions, int64(partitionLock)); err != nil {
				return err
			}
			patience := strconv.FormatInt(dropPatience.Milliseconds(), 10)
			if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = "+patience); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, "DROP TABLE IF EXISTS "+pgx.Identifier{old.name}.Sanitize())
			return err
		})
		const lockNotAvailable = "55P03"
		var refused *pgconn.PgError
		if !errors.As(err, &refused) || refused.Code != lockNotAvailable || attempt == dropAttempts {
			return err
		}
	}
}

// deleteRows deletes some rows of a partition, which it finds driver by driver.
func (s *Store) deleteRows(ctx context.Context, part partition, before int64) (gone int, err error) {
	name := pgx.Identifier{part.name}.Sanitize()
	err = s.db.Write(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		gone, err = postgres.Affected(tx.Exec(ctx, "DELETE FROM "+name+` WHERE ctid = ANY(ARRAY(
			SELECT p.row FROM drivers d CROSS JOIN LATERAL (
				SELECT ctid AS row FROM `+name+` WHERE driver = d.number AND ts < $1 LIMIT $2) p
			LIMIT $2))`, before, int64(deleteChunk)))
		return err
	})
	return gone, err
}
