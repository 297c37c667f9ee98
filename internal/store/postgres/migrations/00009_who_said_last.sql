-- When it was said who somebody is, by a token or by an admin: what was said later stands.

-- +goose Up
ALTER TABLE users ADD COLUMN said_at bigint NOT NULL DEFAULT 0; -- Unix milliseconds

-- +goose Down
ALTER TABLE users DROP COLUMN said_at;
