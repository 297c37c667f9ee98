package peoplestore_test

import (
	"testing"

	"rolecall/internal/store/sqlite/peoplestore"
	"rolecall/test/sqlitetest"
)

func TestQueryPlans(t *testing.T) {
	sqlitetest.CheckPlans(t, peoplestore.Statements(), func(_, step string) bool {
		return step == "SCAN users USING INDEX users_unkeyed" // which holds nobody but them
	})
}
