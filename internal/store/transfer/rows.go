package transfer

import (
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"math"
)

// scanner is what the rows of both databases have in common.
type scanner interface {
	Next() bool
	Scan(into ...any) error
	Err() error
}

// reader reads the rows of a table, from either database, and keeps count and digest of them.
type reader struct {
	table *table
	rows  scanner
	count int64
	sum   hash.Hash
	row   []any // where the last row was read to
	err   error
}

func newReader(t *table, rows scanner) *reader {
	r := &reader{table: t, rows: rows, sum: sha256.New(), row: make([]any, len(t.columns))}
	return r
}

// Next implements pgx.CopyFromSource.
func (r *reader) Next() bool {
	if r.err != nil || !r.rows.Next() {
		return false
	}
	for i := range r.table.columns {
		r.row[i] = place(r.table.columns[i].kind)
	}
	if r.err = r.rows.Scan(r.row...); r.err != nil {
		return false
	}
	r.count++
	for _, at := range r.row {
		r.sum.Write(canonical(at))
	}
	return true
}

// Values implements pgx.CopyFromSource.
func (r *reader) Values() ([]any, error) {
	values := make([]any, len(r.row))
	for i, at := range r.row {
		value, err := parameter(r.table.columns[i].kind, at)
		if err != nil {
			return nil, fmt.Errorf("row %d of %s: column %s: %w", r.count, r.table.name, r.table.columns[i].name, err)
		}
		values[i] = value
	}
	return values, nil
}

// Err implements pgx.CopyFromSource.
func (r *reader) Err() error {
	if r.err != nil {
		return fmt.Errorf("read row %d of %s: %w", r.count+1, r.table.name, r.err)
	}
	return r.rows.Err()
}

// drain reads what is left.
func (r *reader) drain() error {
	for r.Next() { // the digest is what it is read for
	}
	return r.Err()
}

// table tells what was read.
func (r *reader) result() Table {
	return Table{Name: r.table.name, Rows: r.count, Digest: hex.EncodeToString(r.sum.Sum(nil))}
}

// place is where a value of a column is read to.
func place(k kind) any {
	switch k {
	case number:
		return new(sql.Null[float64])
	case boolean:
		return new(sql.Null[bool])
	case ident, integers:
		return new(sql.Null[string])
	case written:
		return new([]byte)
	default:
		return new(sql.Null[int64])
	}
}

// canonical is a value as bytes, the same for the same value and different for another.
func canonical(at any) []byte {
	const null = 0
	switch at := at.(type) {
	case *sql.Null[int64]:
		if at.Valid {
			return binary.BigEndian.AppendUint64([]byte{1}, uint64(at.V))
		}
	case *sql.Null[float64]:
		if at.Valid {
			return binary.BigEndian.AppendUint64([]byte{1}, math.Float64bits(at.V))
		}
	case *sql.Null[bool]:
		if at.Valid && at.V {
			return []byte{1, 1}
		}
		if at.Valid {
			return []byte{1, 0}
		}
	case *sql.Null[string]:
		if at.Valid {
			return append(binary.BigEndian.AppendUint64([]byte{1}, uint64(len(at.V))), at.V...)
		}
	case *[]byte:
		if *at != nil {
			return append(binary.BigEndian.AppendUint64([]byte{1}, uint64(len(*at))), *at...)
		}
	}
	return []byte{null}
}

// parameter is a value as COPY takes it.
func parameter(k kind, at any) (any, error) {
	switch at := at.(type) {
	case *sql.Null[string]:
		if k != integers {
			return orNull(at), nil
		}
		list := []int64{}
		if err := json.Unmarshal([]byte(at.V), &list); err != nil {
			return nil, fmt.Errorf("decode list: %w", err)
		}
		return list, nil
	case *sql.Null[int64]:
		return orNull(at), nil
	case *sql.Null[float64]:
		return orNull(at), nil
	case *sql.Null[bool]:
		return orNull(at), nil
	case *[]byte:
		if *at == nil {
			return nil, nil //nolint:nilnil // NULL
		}
		return *at, nil
	default:
		return nil, fmt.Errorf("no such value: %T", at)
	}
}

func orNull[T any](value *sql.Null[T]) any {
	if !value.Valid {
		return nil
	}
	return value.V
}
