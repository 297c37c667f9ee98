-- What a message said before it was edited or deleted is told from another text that is sent under its client id, by a digest.

-- +goose Up
ALTER TABLE messages ADD COLUMN said bigint NOT NULL DEFAULT 0; -- 0 where there is none

-- +goose Down
ALTER TABLE messages DROP COLUMN said;
