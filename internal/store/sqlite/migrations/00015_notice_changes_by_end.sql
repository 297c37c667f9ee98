-- Changes of notices are looked up by their numbers.

-- +goose Up
CREATE INDEX notices_by_end ON notices (ended_seq) WHERE ended_seq IS NOT NULL;

-- +goose Down
DROP INDEX notices_by_end;
