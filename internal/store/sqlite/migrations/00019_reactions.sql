-- People react to messages with emoji. Which it was is kept with the change, and who has reacted with the message.

-- +goose Up
ALTER TABLE message_changes ADD COLUMN emoji TEXT NOT NULL DEFAULT '';
CREATE TABLE message_reactions (
    room     INTEGER NOT NULL,
    seq      INTEGER NOT NULL,
    emoji    TEXT    NOT NULL,
    user_id  TEXT    NOT NULL,
    revision INTEGER NOT NULL, -- of the change
    PRIMARY KEY (room, seq, emoji, user_id),
    FOREIGN KEY (room, seq) REFERENCES messages (room, seq) ON DELETE CASCADE
) WITHOUT ROWID, STRICT;

-- +goose Down
DROP TABLE message_reactions;
ALTER TABLE message_changes DROP COLUMN emoji;
