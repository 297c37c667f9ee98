package noticestore_test

import (
	"strings"
	"testing"

	"rolecall/internal/store/sqlite/noticestore"
	"rolecall/test/sqlitetest"
)

func TestQueryPlans(t *testing.T) {
	sqlitetest.CheckPlans(t, noticestore.Statements(), func(statement, step string) bool {
		if strings.Contains(statement, "GROUP BY a.room") { // asked once, when a server starts
			return true
		}
		return step == "SCAN found" || step == "SCAN unread" || step == "SCAN sqlite_sequence" // which has a row for each counter
	})
}
