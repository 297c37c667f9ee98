-- A position that was sent without a time gets the server's, another one each time it is sent. It is recognised by its seq
-- and all else it tells, which its digest has.

-- +goose Up
ALTER TABLE positions ADD COLUMN stamped INTEGER NOT NULL DEFAULT 0; -- 1: the time is the server's, and there is a seq
CREATE INDEX positions_stamped ON positions (driver, digest) WHERE stamped = 1;

-- +goose Down
DROP INDEX positions_stamped;
ALTER TABLE positions DROP COLUMN stamped;
