package safetystore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"rolecall/internal/audit"
	"rolecall/internal/services/reports"
	"rolecall/internal/store/postgres"
	"rolecall/internal/store/postgres/auditlog"
)

var _ reports.Store = (*Store)(nil)

// reportColumns are those of a report, as scanReport reads them.
const reportColumns = `number, report_id, user_id, username, subject_id, subject_name, room_id, message_id, reason, comment, context,
	created_at, resolved_at, resolved_by, resolution, coalesce(client_id, '')`

const (
	insertReport = `INSERT INTO reports (report_id, user_id, username, subject_id, subject_name, room_id, message_id, reason,
			comment, context, created_at, client_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, nullif($12::bytea, ''))
		ON CONFLICT DO NOTHING RETURNING ` + reportColumns
	selectSent    = `SELECT ` + reportColumns + ` FROM reports WHERE user_id = $1 AND client_id = $2`
	selectReport  = `SELECT ` + reportColumns + ` FROM reports WHERE report_id = $1 FOR NO KEY UPDATE`
	updateReport  = `UPDATE reports SET resolved_at = $2, resolved_by = $3, resolution = $4 WHERE report_id = $1`
	countReports  = `SELECT count(*) FROM reports WHERE user_id = $1 AND created_at >= $2`
	selectReports = `SELECT ` + reportColumns + ` FROM reports WHERE number > $1 ORDER BY number LIMIT $2`
	selectOpen    = `SELECT ` + reportColumns + ` FROM reports WHERE resolved_at = 0 AND number > $1 ORDER BY number LIMIT $2`
	selectSettled = `SELECT ` + reportColumns + ` FROM reports WHERE resolved_at > 0 AND number > $1 ORDER BY number LIMIT $2`
)

// reportStatements is everything of it that has to do with reports.
func reportStatements() []string {
	return []string{insertReport, selectSent, selectReport, updateReport, countReports, selectReports, selectOpen, selectSettled}
}

func scanReport(row postgres.Scanner) (r reports.Report, err error) {
	var cited []byte
	err = row.Scan(&r.Number, &r.ID, &r.By.UserID, (*postgres.Text)(&r.By.Username), &r.Subject.UserID, (*postgres.Text)(&r.Subject.Username),
		&r.RoomID, &r.MessageID, &r.Reason, (*postgres.Text)(&r.Comment), &cited, &r.At, &r.ResolvedAt, &r.ResolvedBy,
		(*postgres.Text)(&r.Resolution), (*postgres.Text)(&r.ClientID))
	if err != nil {
		return r, err
	}
	if r.State = reports.Open; r.ResolvedAt > 0 {
		r.State = reports.Resolved
	}
	return r, json.Unmarshal(cited, &r.Context)
}

// added is what has become of a report.
type added struct {
	report reports.Report
	is     bool // new, or found
}

// AddReport implements reports.Store.
func (s *Store) AddReport(ctx context.Context, report reports.Report) (kept reports.Report, isNew bool, err error) {
	cited, err := json.Marshal(report.Context)
	if err != nil {
		return kept, false, fmt.Errorf("keep report: %w", err)
	}
	done, err := postgres.Share(ctx, s.db, func(ctx context.Context, tx *postgres.Tx) (a added, err error) {
		a.report, err = scanReport(tx.QueryRow(ctx, insertReport, report.ID, report.By.UserID, postgres.Text(report.By.Username),
			report.Subject.UserID, postgres.Text(report.Subject.Username), report.RoomID, report.MessageID, string(report.Reason),
			postgres.Text(report.Comment), cited, int64(report.At), postgres.Text(report.ClientID)))
		if a.is = err == nil; errors.Is(err, pgx.ErrNoRows) {
			a.report, err = scanReport(tx.QueryRow(ctx, selectSent, report.By.UserID, postgres.Text(report.ClientID)))
		}
		return a, err
	})
	if err != nil {
		return kept, false, fmt.Errorf("keep report: %w", err)
	}
	return done.report, done.is, nil
}

// CountReports implements reports.Store.
func (s *Store) CountReports(ctx context.Context, userID string, since int64) (int, error) {
	count, err := postgres.ReadOne(ctx, s.db, countReports, postgres.ScanOne[int], userID, since)
	if err != nil {
		return 0, fmt.Errorf("count reports: %w", err)
	}
	return count, nil
}

// Reports implements reports.Store.
func (s *Store) Reports(ctx context.Context, query reports.Query) ([]reports.Report, error) {
	text := selectReports
	switch query.State {
	case reports.Open:
		text = selectOpen
	case reports.Resolved:
		text = selectSettled
	}
	all, err := postgres.ReadAll(ctx, s.db, text, scanReport, query.After, max(query.Limit, 0))
	if err != nil {
		return nil, fmt.Errorf("list reports: %w", err)
	}
	return all, nil
}

// SetReport implements reports.Store.
func (s *Store) SetReport(
	ctx context.Context, id string, state reports.State, resolution string, line audit.Line,
) (reports.Report, bool, error) {
	done, err := postgres.Share(ctx, s.db, func(ctx context.Context, tx *postgres.Tx) (a added, err error) {
		a.report, err = scanReport(tx.QueryRow(ctx, selectReport, id))
		if errors.Is(err, pgx.ErrNoRows) {
			return added{}, nil
		}
		a.is = true
		if err != nil || a.report.State == state {
			return a, err
		}
		a.report.Settle(state, resolution, line)
		_, err = tx.Exec(ctx, updateReport, id, int64(a.report.ResolvedAt), a.report.ResolvedBy, postgres.Text(a.report.Resolution))
		if err == nil {
			_, err = auditlog.Append(ctx, tx, line)
		}
		return a, err
	})
	if err != nil {
		return reports.Report{}, false, fmt.Errorf("change report: %w", err)
	}
	return done.report, done.is, nil
}
