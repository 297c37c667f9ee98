package auditlog_test

import (
	"testing"

	"rolecall/internal/store/sqlite/auditlog"
	"rolecall/test/sqlitetest"
)

func TestQueryPlans(t *testing.T) { sqlitetest.CheckPlans(t, auditlog.Statements(), nil) }
