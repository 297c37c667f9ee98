package attachmentstore_test

import (
	"testing"

	"rolecall/internal/store/sqlite/attachmentstore"
	"rolecall/test/sqlitetest"
)

func TestQueryPlans(t *testing.T) { sqlitetest.CheckPlans(t, attachmentstore.Statements(), nil) }
