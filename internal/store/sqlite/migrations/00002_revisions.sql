-- A room is a log of changes, each of which takes its next revision. Until now every change was a message.

-- +goose Up
ALTER TABLE rooms ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
UPDATE rooms SET revision = last_seq;
ALTER TABLE messages ADD COLUMN revision INTEGER NOT NULL DEFAULT 0; -- of the change that made the message what it is
UPDATE messages SET revision = seq;

-- +goose Down
ALTER TABLE messages DROP COLUMN revision;
ALTER TABLE rooms DROP COLUMN revision;
