package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
	"testing"
)

// Who leaves while a query is running does not interrupt it, and with it the connection.
func TestReadsAreFinished(t *testing.T) {
	const people = 10_000 // so many that it takes a while to list them
	db := openInternal(t)
	err := db.Write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO users (user_id, username, role, company_id, last_seen)
			WITH RECURSIVE ids (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM ids WHERE id < ?)
			SELECT id, '', '', '', 0 FROM ids`, people)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var list *sql.Stmt
	if err := db.Prepare(t.Context(), nil, Statements{&list: "SELECT user_id FROM users ORDER BY user_id"}); err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancel(t.Context())
	read := func() ([]struct{}, error) {
		return ReadAll(ctx, db, list, func(Scanner) (row struct{}, err error) {
			leave()
			runtime.Gosched()
			return row, nil
		})
	}
	if got, err := read(); err != nil || len(got) != people {
		t.Errorf("read %d people, error %v; want %d", len(got), err, people)
	}
	if _, err := read(); !errors.Is(err, context.Canceled) {
		t.Errorf("began to read for somebody who had left: error %v", err)
	}
}

// A read waits for its turn only as long as its caller does.
func TestReadWaitsForItsTurn(t *testing.T) {
	db := openInternal(t)
	var turns []func()
	for range readers {
		_, done, err := db.beginRead(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		turns = append(turns, done)
	}
	if err := db.Ping(t.Context()); err != nil {
		t.Errorf("ping beside %d queries: %v", readers, err)
	}
	ctx, leave := context.WithCancel(t.Context())
	refused := make(chan error, 1)
	go func() {
		_, err := ReadOne(ctx, db, db.ping, ScanOne[int])
		refused <- err
	}()
	leave()
	if err := <-refused; !errors.Is(err, context.Canceled) {
		t.Errorf("read beyond the connections there are: error %v", err)
	}
	served := make(chan error, 1)
	go func() {
		_, err := ReadOne(t.Context(), db, db.ping, ScanOne[int])
		served <- err
	}()
	for _, done := range turns {
		done()
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}
