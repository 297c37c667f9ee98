-- Messages are edited and deleted. Each time takes a revision of the room, and is kept as long as the message, so that what was
-- told of it can be told again.

-- +goose Up
ALTER TABLE messages ADD COLUMN changed INTEGER NOT NULL DEFAULT 0; -- the revision of its newest change, 0 where it is as it was said
ALTER TABLE messages ADD COLUMN edited_at INTEGER NOT NULL DEFAULT 0; -- Unix milliseconds, 0 for never, as deleted_at
ALTER TABLE messages ADD COLUMN deleted_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE messages ADD COLUMN deleted_by TEXT NOT NULL DEFAULT '';
CREATE INDEX messages_by_change ON messages (room, changed) WHERE changed > 0;

CREATE TABLE message_changes (
    room       INTEGER NOT NULL,
    revision   INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    kind       TEXT    NOT NULL,
    user_id    TEXT    NOT NULL,
    username   TEXT    NOT NULL,
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (room, revision),
    FOREIGN KEY (room, seq) REFERENCES messages (room, seq) ON DELETE CASCADE
) WITHOUT ROWID, STRICT;
CREATE INDEX message_changes_by_message ON message_changes (room, seq);

-- +goose Down
DROP TABLE message_changes;
DROP INDEX messages_by_change;
ALTER TABLE messages DROP COLUMN deleted_by;
ALTER TABLE messages DROP COLUMN deleted_at;
ALTER TABLE messages DROP COLUMN edited_at;
ALTER TABLE messages DROP COLUMN changed;
