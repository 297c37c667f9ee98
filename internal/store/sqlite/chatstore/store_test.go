package chatstore_test

import (
	"slices"
	"strings"
	"testing"

	"rolecall/internal/store/sqlite/chatstore"
	"rolecall/test/sqlitetest"
)

func TestQueryPlans(t *testing.T) {
	sqlitetest.CheckPlans(t, chatstore.Statements(), func(_, step string) bool { // what has been narrowed down
		name, isScan := strings.CutPrefix(step, "SCAN ")
		return isScan && slices.Contains([]string{"mine", "place", "candidates", "c", "stood", "search", "reacted", "changed"}, name) ||
			isScan && (name == "found" || name == "rooms USING INDEX rooms_open" || strings.HasPrefix(name, "message_terms VIRTUAL TABLE INDEX") || name == "message_index") // one row
	})
}
