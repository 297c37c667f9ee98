package chatstore_test

import (
	"testing"

	"rolecall/internal/store/sqlite/chatstore"
	"rolecall/test/sqlitetest"
)

func TestQueryPlans(t *testing.T) {
	sqlitetest.CheckPlans(t, chatstore.Statements(), func(_, step string) bool { return step == "SCAN reacted" }) // what was found of a page
}
