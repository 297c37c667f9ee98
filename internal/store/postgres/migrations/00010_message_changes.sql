-- Messages are edited and deleted. Each time takes a revision of the room, and is kept as long as the message, so that what was
-- told of it can be told again.

-- +goose Up
ALTER TABLE messages
    ADD COLUMN changed    bigint NOT NULL DEFAULT 0, -- the revision of its newest change, 0 where it is as it was said
    ADD COLUMN edited_at  bigint NOT NULL DEFAULT 0, -- Unix milliseconds, 0 for never, as deleted_at
    ADD COLUMN deleted_at bigint NOT NULL DEFAULT 0,
    ADD COLUMN deleted_by text   COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX messages_by_change ON messages (room, changed) WHERE changed > 0;

CREATE TABLE message_changes (
    room       bigint NOT NULL,
    revision   bigint NOT NULL,
    seq        bigint NOT NULL,
    kind       text   COLLATE "C" NOT NULL,
    user_id    text   COLLATE "C" NOT NULL,
    username   bytea  NOT NULL,
    changed_at bigint NOT NULL,
    PRIMARY KEY (room, revision),
    FOREIGN KEY (room, seq) REFERENCES messages (room, seq) ON DELETE CASCADE
);
CREATE INDEX message_changes_by_message ON message_changes (room, seq);

-- +goose Down
DROP TABLE message_changes;
DROP INDEX messages_by_change;
ALTER TABLE messages DROP COLUMN deleted_by, DROP COLUMN deleted_at, DROP COLUMN edited_at, DROP COLUMN changed;
