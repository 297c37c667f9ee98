//go:build unix

package cluster

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
)

// stored is what PostgreSQL itself has in the end.
type stored struct {
	rooms map[string]*storedRoom
	// notices are the ids by title, more than one where a notice was stored twice; ended are the retracted ones.
	notices map[string][]string
	ended   map[string]bool
	// fixes are the latitudes of drivers, by time; more than one where a position was stored twice.
	fixes map[string]map[int64][]float64
}

type storedRoom struct {
	messages          []message // by seq
	lastSeq, revision int64
	members           map[string]bool
	removed           map[string]int64 // by which revision
}

// readStore reads everything.
func (c *cluster) readStore(t *testing.T) *stored {
	t.Helper()
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, c.database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	s := &stored{
		rooms: make(map[string]*storedRoom), notices: make(map[string][]string), ended: make(map[string]bool),
		fixes: make(map[string]map[int64][]float64),
	}
	for _, read := range []func(context.Context, *pgx.Conn) error{
		s.readRooms, s.readMessages, s.readMembers, s.readNotices, s.readPositions,
	} {
		if err := read(ctx, conn); err != nil {
			t.Fatalf("read the store: %v", err)
		}
	}
	return s
}

// share reports whether two people are in a direct room or group in which both have written.
func (s *stored) share(one, other string) bool {
	for _, room := range s.rooms {
		if room.members[one] && room.members[other] && room.wrote(one) && room.wrote(other) {
			return true
		}
	}
	return false
}

// parted reports whether one of two people was taken out of a room in which both have written: what happened to the one until they
// wrote to each other elsewhere, if they have, the other was not told.
func (s *stored) parted(one, other string) bool {
	for _, room := range s.rooms {
		if (room.removed[one] != 0 || room.removed[other] != 0) && room.wrote(one) && room.wrote(other) {
			return true
		}
	}
	return false
}

func (r *storedRoom) wrote(userID string) bool {
	return slices.ContainsFunc(r.messages, func(m message) bool { return m.isSaid() && m.UserID == userID })
}

// each runs a query and takes its rows.
func each(ctx context.Context, conn *pgx.Conn, query string, into []any, take func() error) error {
	rows, err := conn.Query(ctx, query)
	if err != nil {
		return err
	}
	_, err = pgx.ForEachRow(rows, into, take)
	return err
}

func (s *stored) readRooms(ctx context.Context, conn *pgx.Conn) error {
	var id string
	var seq, revision int64
	return each(ctx, conn, `SELECT room_id, last_seq, revision FROM rooms`, []any{&id, &seq, &revision}, func() error {
		s.rooms[id] = &storedRoom{
			lastSeq: seq, revision: revision, members: make(map[string]bool), removed: make(map[string]int64),
		}
		return nil
	})
}

func (s *stored) readMessages(ctx context.Context, conn *pgx.Conn) error {
	var m message
	return each(ctx, conn, `SELECT room_id, seq, m.revision, message_id, user_id, convert_from(text, 'UTF8'),
			coalesce(convert_from(m.client_id, 'UTF8'), ''), timestamp,
			CASE WHEN m.system = '' THEN '' ELSE 'system' END
		FROM messages m JOIN rooms ON number = room ORDER BY room, seq`,
		[]any{&m.Room, &m.Seq, &m.Revision, &m.ID, &m.UserID, &m.Text, &m.ClientID, &m.Timestamp, &m.Kind}, func() error {
			room := s.rooms[m.Room]
			room.messages = append(room.messages, m)
			return nil
		})
}

func (s *stored) readMembers(ctx context.Context, conn *pgx.Conn) error {
	var id, userID string
	err := each(ctx, conn, `SELECT room_id, user_id FROM room_members JOIN rooms ON number = room`, []any{&id, &userID}, func() error {
		s.rooms[id].members[userID] = true
		return nil
	})
	if err != nil {
		return err
	}
	var revision int64
	return each(ctx, conn, `SELECT room_id, user_id, r.revision FROM room_removals r JOIN rooms ON number = room`,
		[]any{&id, &userID, &revision}, func() error {
			if s.rooms[id].removed[userID] != 0 {
				return fmt.Errorf("%s was removed from %s twice", userID, id)
			}
			s.rooms[id].removed[userID] = revision
			return nil
		})
}

func (s *stored) readNotices(ctx context.Context, conn *pgx.Conn) error {
	var id, title string
	var ended bool
	return each(ctx, conn, `SELECT notice_id, convert_from(title, 'UTF8'), retracted_at IS NOT NULL FROM notices`,
		[]any{&id, &title, &ended}, func() error {
			s.notices[title] = append(s.notices[title], id)
			if ended {
				s.ended[id] = true
			}
			return nil
		})
}

func (s *stored) readPositions(ctx context.Context, conn *pgx.Conn) error {
	var driver string
	var ts int64
	var lat float64
	return each(ctx, conn, `SELECT driver_id, ts, lat FROM positions JOIN drivers ON drivers.number = driver`,
		[]any{&driver, &ts, &lat}, func() error {
			if s.fixes[driver] == nil {
				s.fixes[driver] = make(map[int64][]float64)
			}
			s.fixes[driver][ts] = append(s.fixes[driver][ts], lat)
			return nil
		})
}
