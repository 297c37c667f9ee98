-- People react to messages with emoji. Which it was is kept with the change, and who has reacted with the message.

-- +goose Up
ALTER TABLE message_changes ADD COLUMN emoji text COLLATE "C" NOT NULL DEFAULT '';
CREATE TABLE message_reactions (
    room     bigint NOT NULL,
    seq      bigint NOT NULL,
    emoji    text   COLLATE "C" NOT NULL,
    user_id  text   COLLATE "C" NOT NULL,
    revision bigint NOT NULL, -- of the change
    PRIMARY KEY (room, seq, emoji, user_id),
    FOREIGN KEY (room, seq) REFERENCES messages (room, seq) ON DELETE CASCADE
);

-- +goose Down
DROP TABLE message_reactions;
ALTER TABLE message_changes DROP COLUMN emoji;
