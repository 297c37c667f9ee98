-- +goose Up
-- What messages say may be encrypted, and then their digests are as well: key_id names the key, '' where it is not. The key that
-- the index of messages is made with is encrypted by one of the same keys.
ALTER TABLE messages ADD COLUMN key_id text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE message_index ADD COLUMN key_id text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE message_index ADD COLUMN key bytea NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE message_index DROP COLUMN key;
ALTER TABLE message_index DROP COLUMN key_id;
ALTER TABLE messages DROP COLUMN key_id;
