-- People block others. What somebody writes directly to who has blocked them is for them alone, and stays so.

-- +goose Up
CREATE TABLE blocks (
    user_id    text   COLLATE "C" NOT NULL, -- who has blocked
    blocked_id text   COLLATE "C" NOT NULL, -- whom
    blocked_at bigint NOT NULL, -- Unix milliseconds
    PRIMARY KEY (user_id, blocked_id)
);
CREATE INDEX blocks_by_blocked ON blocks (blocked_id, user_id);

-- 1 where nobody but its author is shown the message, 2 where others are shown it as a deleted one, since its author has changed it.
ALTER TABLE messages ADD COLUMN alone bigint NOT NULL DEFAULT 0;
CREATE INDEX messages_alone ON messages (room, seq) WHERE alone = 1;
ALTER TABLE message_changes ADD COLUMN alone boolean NOT NULL DEFAULT false;   -- nobody else is told of the change
ALTER TABLE message_reactions ADD COLUMN alone boolean NOT NULL DEFAULT false; -- nobody else is shown it

-- +goose Down
ALTER TABLE message_reactions DROP COLUMN alone;
ALTER TABLE message_changes DROP COLUMN alone;
DROP INDEX messages_alone;
ALTER TABLE messages DROP COLUMN alone;
DROP TABLE blocks;
