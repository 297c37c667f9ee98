-- People block others. What somebody writes directly to who has blocked them is for them alone, and stays so.

-- +goose Up
CREATE TABLE blocks (
    user_id    TEXT    NOT NULL, -- who has blocked
    blocked_id TEXT    NOT NULL, -- whom
    blocked_at INTEGER NOT NULL, -- Unix milliseconds
    PRIMARY KEY (user_id, blocked_id)
) WITHOUT ROWID, STRICT;
CREATE INDEX blocks_by_blocked ON blocks (blocked_id, user_id, blocked_at);

-- 1 where nobody but its author is shown the message, 2 where others are shown it as a deleted one, since its author has changed it.
ALTER TABLE messages ADD COLUMN alone INTEGER NOT NULL DEFAULT 0;
CREATE INDEX messages_alone ON messages (room, seq) WHERE alone = 1;
ALTER TABLE message_changes ADD COLUMN alone INTEGER NOT NULL DEFAULT 0;   -- 1 where nobody else is told of the change
ALTER TABLE message_reactions ADD COLUMN alone INTEGER NOT NULL DEFAULT 0; -- 1 where nobody else is shown it

-- +goose Down
ALTER TABLE message_reactions DROP COLUMN alone;
ALTER TABLE message_changes DROP COLUMN alone;
DROP INDEX messages_alone;
ALTER TABLE messages DROP COLUMN alone;
DROP TABLE blocks;
