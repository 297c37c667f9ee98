-- What messages say may be encrypted, and then their digests are as well: key_id names the key, '' where it is not. The key that
-- the index of messages is made with is encrypted by one of the same keys.

-- +goose Up
ALTER TABLE messages ADD COLUMN key_id TEXT NOT NULL DEFAULT '';
ALTER TABLE message_index ADD COLUMN key_id TEXT NOT NULL DEFAULT '';
ALTER TABLE message_index ADD COLUMN key TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE message_index DROP COLUMN key;
ALTER TABLE message_index DROP COLUMN key_id;
ALTER TABLE messages DROP COLUMN key_id;
