-- Messages mention people. Who is mentioned is kept with the message, and beside it by person, so that it is counted by looking at
-- no more than what somebody has not read. One's own mentions of oneself count nothing.

-- +goose Up
ALTER TABLE messages ADD COLUMN mentions TEXT NOT NULL DEFAULT ''; -- ids of users with commas between them, '' for nobody
CREATE TABLE message_mentions (
    user_id TEXT    NOT NULL,
    room    INTEGER NOT NULL,
    seq     INTEGER NOT NULL,
    PRIMARY KEY (user_id, room, seq),
    FOREIGN KEY (room, seq) REFERENCES messages (room, seq) ON DELETE CASCADE
) WITHOUT ROWID, STRICT;
CREATE INDEX message_mentions_by_message ON message_mentions (room, seq);

-- +goose Down
DROP TABLE message_mentions;
ALTER TABLE messages DROP COLUMN mentions;
