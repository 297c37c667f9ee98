package servers

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// CheckPlans fails the test where one of the statements goes through a whole table although it need not: where the planner,
// told that this is to be avoided, still does.
// https://www.postgresql.org/docs/15/using-explain.html
func CheckPlans(t testing.TB, conn *pgx.Conn, statements []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := conn.Exec(ctx, "SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan"); err != nil {
		t.Fatal(err)
	}
	for _, statement := range statements {
		for _, step := range plan(ctx, t, conn, statement) {
			if strings.Contains(step, "Seq Scan on") {
				t.Errorf("%s\n\tgoes through a table: %s", statement, strings.TrimSpace(step))
			}
		}
	}
}

// plan is the plan of a statement for any parameters.
func plan(ctx context.Context, t testing.TB, conn *pgx.Conn, statement string) []string {
	t.Helper()
	prepared, err := conn.PgConn().Prepare(ctx, "explained", statement, nil)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	execute := "EXPLAIN EXECUTE explained"
	if n := len(prepared.ParamOIDs); n > 0 {
		execute += "(NULL" + strings.Repeat(", NULL", n-1) + ")"
	}
	rows, err := conn.Query(ctx, execute, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	steps, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	if err := conn.PgConn().Deallocate(ctx, "explained"); err != nil {
		t.Fatal(err)
	}
	return steps
}
