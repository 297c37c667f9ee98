package peoplestore_test

import (
	"testing"

	"rolecall/internal/store/sqlite/peoplestore"
	"rolecall/test/sqlitetest"
)

func TestQueryPlans(t *testing.T) {
	sqlitetest.CheckPlans(t, peoplestore.Statements(), nil)
}
