package noticestore_test

import (
	"testing"

	"rolecall/internal/store/sqlite/noticestore"
	"rolecall/test/sqlitetest"
)

func TestQueryPlans(t *testing.T) {
	sqlitetest.CheckPlans(t, noticestore.Statements(), func(_, step string) bool {
		return step == "SCAN unread" || step == "SCAN sqlite_sequence" // which has a row for each counter
	})
}
