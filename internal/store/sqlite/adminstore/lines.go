package adminstore

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"rolecall/internal/audit"
	"rolecall/internal/store/sqlite"
	"rolecall/internal/store/sqlite/auditlog"
)

// Lines implements administration.Store.
func (s *Store) Lines(ctx context.Context, query audit.Query) ([]audit.Line, error) {
	lines, err := sqlite.ReadAll(ctx, s.db, s.sql.selectLines[filterOf(query)], auditlog.Scan,
		query.Before.At, query.Before.Number, query.From, cmp.Or(query.To, math.MaxInt64),
		query.Actor, string(query.Action), query.Target, max(query.Limit, 0))
	if err != nil {
		return nil, fmt.Errorf("list audit lines: %w", err)
	}
	return lines, nil
}

// lineFilter is a set of conditions on the lines listed.
type lineFilter uint8

const (
	byActor lineFilter = 1 << iota
	byAction
	byTarget
	lineFilters = iota
)

func filterOf(query audit.Query) (filter lineFilter) {
	for i, asked := range [lineFilters]bool{query.Actor != "", query.Action != "", query.Target != ""} {
		if asked {
			filter |= 1 << i
		}
	}
	return filter
}

// sql has only the conditions of the filter, and the same parameters always.
func (f lineFilter) sql() string {
	text := `SELECT ` + auditlog.Columns + ` FROM audit WHERE (at, number) < (?1, ?2) AND at >= ?3 AND at < ?4`
	for i, condition := range [lineFilters]string{` AND actor = ?5`, ` AND action = ?6`, ` AND target = ?7`} {
		if f&(1<<i) != 0 {
			text += condition
		}
	}
	return text + ` ORDER BY at DESC, number DESC LIMIT ?8`
}
