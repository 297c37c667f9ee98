package transfer

import (
	"fmt"
	"strings"
)

// kind is of what a column is, in both databases.
type kind int

const (
	integer  kind = iota
	number        // a float64
	boolean       // 0 or 1 in SQLite
	ident         // text that is an id
	written       // text that people write, or any bytes: bytea in PostgreSQL
	integers      // a JSON array in SQLite, bigint[] in PostgreSQL
)

// column is one that is carried over. Both databases call it name, unless from says what SQLite has instead.
type column struct {
	name string
	kind kind
	from string
}

// table is one that is carried over, in the order of its key.
type table struct {
	name    string
	key     string
	columns []column
}

// tables is everything that lasts, in an order in which what is referred to comes first.
func tables() []table {
	return []table{
		{"users", "user_id", columns("user_id:ident", "username:written", "role:ident", "company_id:ident", "last_seen:integer", "said_at:integer")},
		{"user_keys", "key, user_id", columns("key:written", "user_id:ident")},
		{"notices", "seq", columns(
			"seq:integer", "notice_id:ident", "title:written", "body:written", "severity:ident", "audience:written", "data:written",
			"created_at:integer", "expires_at:integer", "require_ack:boolean", "from_user_id:ident", "from_username:written",
			"retracted_at:integer", "ended_seq:integer")},
		{"notice_rooms", "room, notice", columns("room:ident", "notice:integer")},
		{"notice_reads", "user_id", columns("user_id:ident", "up_to:integer", "ahead:integers")},
		{"idempotency_keys", "user_id, key", columns(
			"user_id:ident", "key:written", "digest:ident", "notice:integer", "created_at:integer")},
		{"rooms", "number", columns(
			"number:integer", "room_id:ident", "kind:ident", "name:written", "created_by:ident", "created_at:integer",
			"last_seq:integer", "revision:integer", "members_since:integer", "active_at:integer", "owner:ident", "history:ident",
			"client_id:written", "made_as:integer", "closed_at:integer")},
		{"room_members", "room, user_id", columns(
			"room:integer", "user_id:ident", "kind:ident", "wrote:boolean", "active_at:integer", "counted_from:integer", "muted:boolean",
			"joined:integer", "sees_after:integer")},
		{"messages", "room, seq", columns(
			"room:integer", "seq:integer", "revision:integer", "author_nth:integer", "timestamp:integer", "message_id:ident",
			"user_id:ident", "username:written", "role:ident", "text:written", "reply_to:ident", "client_id:written",
			"changed:integer", "edited_at:integer", "deleted_at:integer", "deleted_by:ident", "said:integer",
			"system:written", "mentions:ident", "attachments:ident", "key_id:ident", "alone:integer")},
		{"message_mentions", "user_id, room, seq", columns("user_id:ident", "room:integer", "seq:integer")},
		{"attachments", "attachment_id", columns(
			"attachment_id:ident", "user_id:ident", "client_id:written", "received:ident", "created_at:integer", "details:ident",
			"spent:boolean", "room:integer", "seq:integer")},
		{"server_keys", "name", columns("name:ident", "value:ident")},
		{"message_changes", "room, revision", columns(
			"room:integer", "revision:integer", "seq:integer", "kind:ident", "user_id:ident", "username:written", "changed_at:integer",
			"emoji:ident", "alone:boolean")},
		{"message_reactions", "room, seq, emoji, user_id", columns(
			"room:integer", "seq:integer", "emoji:ident", "user_id:ident", "revision:integer", "alone:boolean")},
		{"room_reads", "room, user_id", columns("room:integer", "user_id:ident", "seq:integer")},
		{"room_removals", "room, revision, user_id", columns(
			"room:integer", "revision:integer", "user_id:ident", "by_user_id:ident", "by_username:written", "removed_at:integer",
			"joined:integer", "sees_after:integer")},
		// Only PostgreSQL has a digest of a driver. It is made when the driver is heard of next.
		{"drivers", "number", append(columns("number:integer", "driver_id:ident", "company_id:ident", "username:written"),
			column{name: "digest", from: "0"})},
		{"positions", "driver, ts, digest", columns(
			"driver:integer", "ts:integer", "number:integer", "digest:integer", "lat:number", "lng:number", "heading:number",
			"speed:number", "accuracy:number", "altitude:number", "battery:number", "seq:integer", "stamped:boolean", "company_id:ident")},
		{"audit", "number", columns(
			"number:integer", "at:integer", "actor:ident", "username:written", "action:ident", "target:ident", "detail:written", "key:written")},
		{"blocks", "user_id, blocked_id", columns("user_id:ident", "blocked_id:ident", "blocked_at:integer")},
		{"deletions", "user_id", columns("user_id:ident", "at:integer", "done:boolean")},
		{"reports", "number", columns(
			"number:integer", "report_id:ident", "user_id:ident", "username:written", "subject_id:ident", "subject_name:written",
			"room_id:ident", "message_id:ident", "reason:ident", "comment:written", "context:written", "created_at:integer",
			"resolved_at:integer", "resolved_by:ident", "resolution:written", "client_id:written")},
		{"revocations", "user_id", columns("user_id:ident", "at:integer")},
	}
}

// columns reads columns written as name:kind.
func columns(written ...string) []column {
	all := make([]column, len(written))
	for i, text := range written {
		name, of, _ := strings.Cut(text, ":")
		all[i] = column{name: name, kind: kindNamed(of)}
	}
	return all
}

func kindNamed(name string) kind {
	switch name {
	case "number":
		return number
	case "boolean":
		return boolean
	case "ident":
		return ident
	case "written":
		return written
	case "integers":
		return integers
	default:
		return integer
	}
}

// names lists the columns for COPY.
func (t *table) names() []string {
	names := make([]string, len(t.columns))
	for i := range t.columns {
		names[i] = t.columns[i].name
	}
	return names
}

// fromSQLite and fromPostgres read the table, row by row the same values.
func (t *table) fromSQLite() string {
	return t.query(func(c *column) string {
		if c.from != "" {
			return c.from
		}
		return c.name
	})
}

func (t *table) fromPostgres() string {
	return t.query(func(c *column) string {
		if c.kind == integers {
			return "array_to_json(" + c.name + ")::text"
		}
		return c.name
	})
}

func (t *table) query(expression func(*column) string) string {
	expressions := make([]string, len(t.columns))
	for i := range t.columns {
		expressions[i] = expression(&t.columns[i])
	}
	return fmt.Sprintf("SELECT %s FROM %s ORDER BY %s", strings.Join(expressions, ", "), t.name, t.key)
}
