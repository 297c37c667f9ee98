-- The end of a notice that expires is a change like a retraction: it takes a number of its own when it is told.

-- +goose Up
ALTER TABLE notices RENAME COLUMN retracted_seq TO ended_seq;
UPDATE notices SET ended_seq = seq
    WHERE ended_seq IS NULL AND expires_at > 0 AND expires_at <= unixepoch('now') * 1000;
-- RFC 3339 has no moment beyond the year 9999.
UPDATE notices SET expires_at = 253402300799999 WHERE expires_at > 253402300799999;
CREATE INDEX notices_by_expiry ON notices (expires_at) WHERE expires_at > 0 AND ended_seq IS NULL;
CREATE INDEX notices_by_creation ON notices (created_at);
-- Who is seen for the first time from now on begins with the notices of the last while unread. Who was seen before keeps
-- all that is unread.
INSERT INTO notice_reads (user_id, up_to, ahead) SELECT user_id, 0, '[]' FROM users WHERE true ON CONFLICT DO NOTHING;

-- +goose Down
DROP INDEX notices_by_creation;
DROP INDEX notices_by_expiry;
UPDATE notices SET ended_seq = NULL WHERE retracted_at IS NULL;
ALTER TABLE notices RENAME COLUMN ended_seq TO retracted_seq;
