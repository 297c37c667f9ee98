-- A retraction takes a number of the counter of notices.seq, so that every change of the notices has its place in one order.

-- +goose Up
ALTER TABLE notices ADD COLUMN retracted_seq INTEGER;
UPDATE notices SET retracted_seq = seq WHERE retracted_at IS NOT NULL;

-- +goose Down
ALTER TABLE notices DROP COLUMN retracted_seq;
