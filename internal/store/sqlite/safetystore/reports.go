package safetystore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"rolecall/internal/audit"
	"rolecall/internal/services/reports"
	"rolecall/internal/store/sqlite"
)

var _ reports.Store = (*Store)(nil)

// reportColumns are those of a report, as scanReport reads them.
const reportColumns = `number, report_id, user_id, username, subject_id, subject_name, room_id, message_id, reason, comment, context,
	created_at, resolved_at, resolved_by, resolution, coalesce(client_id, '')`

func (s *statements) reportWrites() sqlite.Statements {
	return sqlite.Statements{
		&s.insertReport: `INSERT INTO reports (report_id, user_id, username, subject_id, subject_name, room_id, message_id, reason,
				comment, context, created_at, client_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, nullif(?, ''))
			ON CONFLICT DO NOTHING RETURNING ` + reportColumns,
		&s.selectSent:   `SELECT ` + reportColumns + ` FROM reports WHERE user_id = ? AND client_id = ?`,
		&s.selectReport: `SELECT ` + reportColumns + ` FROM reports WHERE report_id = ?`,
		&s.updateReport: `UPDATE reports SET resolved_at = ?2, resolved_by = ?3, resolution = ?4 WHERE report_id = ?1`,
	}
}

func (s *statements) reportReads() sqlite.Statements {
	all := sqlite.Statements{
		&s.countReports: `SELECT count(*) FROM reports WHERE user_id = ? AND created_at >= ?`,
	}
	for state, condition := range map[reports.State]string{"": "", reports.Open: "resolved_at = 0 AND ", reports.Resolved: "resolved_at > 0 AND "} {
		all[s.reportsOf(state)] = `SELECT ` + reportColumns + ` FROM reports WHERE ` + condition + `number > ? ORDER BY number LIMIT ?`
	}
	return all
}

// reportsOf is the statement that lists reports of a state.
func (s *statements) reportsOf(state reports.State) **sql.Stmt {
	switch state {
	case reports.Open:
		return &s.selectOpen
	case reports.Resolved:
		return &s.selectResolved
	default:
		return &s.selectReports
	}
}

func scanReport(row sqlite.Scanner) (r reports.Report, err error) {
	var cited string
	err = row.Scan(&r.Number, &r.ID, &r.By.UserID, &r.By.Username, &r.Subject.UserID, &r.Subject.Username, &r.RoomID, &r.MessageID,
		&r.Reason, &r.Comment, &cited, &r.At, &r.ResolvedAt, &r.ResolvedBy, &r.Resolution, &r.ClientID)
	if err != nil {
		return r, err
	}
	if r.State = reports.Open; r.ResolvedAt > 0 {
		r.State = reports.Resolved
	}
	return r, json.Unmarshal([]byte(cited), &r.Context)
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
	done, err := sqlite.Share(ctx, s.db, func(ctx context.Context, tx *sql.Tx) (a added, err error) {
		a.report, err = scanReport(tx.StmtContext(ctx, s.sql.insertReport).QueryRowContext(ctx, report.ID, report.By.UserID, report.By.Username,
			report.Subject.UserID, report.Subject.Username, report.RoomID, report.MessageID, string(report.Reason), report.Comment,
			string(cited), report.At, report.ClientID))
		if a.is = err == nil; errors.Is(err, sql.ErrNoRows) {
			a.report, err = scanReport(tx.StmtContext(ctx, s.sql.selectSent).QueryRowContext(ctx, report.By.UserID, report.ClientID))
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
	count, err := sqlite.ReadOne(ctx, s.db, s.sql.countReports, sqlite.ScanOne[int], userID, since)
	if err != nil {
		return 0, fmt.Errorf("count reports: %w", err)
	}
	return count, nil
}

// Reports implements reports.Store.
func (s *Store) Reports(ctx context.Context, query reports.Query) ([]reports.Report, error) {
	all, err := sqlite.ReadAll(ctx, s.db, *s.sql.reportsOf(query.State), scanReport, query.After, max(query.Limit, 0))
	if err != nil {
		return nil, fmt.Errorf("list reports: %w", err)
	}
	return all, nil
}

// SetReport implements reports.Store.
func (s *Store) SetReport(
	ctx context.Context, id string, state reports.State, resolution string, line audit.Line,
) (reports.Report, bool, error) {
	done, err := sqlite.Share(ctx, s.db, func(ctx context.Context, tx *sql.Tx) (a added, err error) {
		a.report, err = scanReport(tx.StmtContext(ctx, s.sql.selectReport).QueryRowContext(ctx, id))
		if errors.Is(err, sql.ErrNoRows) {
			return added{}, nil
		}
		a.is = true
		if err != nil || a.report.State == state {
			return a, err
		}
		a.report.Settle(state, resolution, line)
		_, err = tx.StmtContext(ctx, s.sql.updateReport).ExecContext(ctx, id, a.report.ResolvedAt, a.report.ResolvedBy, a.report.Resolution)
		if err == nil {
			_, err = s.log.Append(ctx, tx, line)
		}
		return a, err
	})
	if err != nil {
		return reports.Report{}, false, fmt.Errorf("change report: %w", err)
	}
	return done.report, done.is, nil
}
