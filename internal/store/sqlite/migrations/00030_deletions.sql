-- People are deleted: what was begun is finished, also by another start of the server.

-- +goose Up
CREATE TABLE deletions (
    user_id  TEXT    NOT NULL PRIMARY KEY,
    at       INTEGER NOT NULL, -- Unix milliseconds: what is of the person up to then is taken away
    done     INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID, STRICT;
CREATE INDEX deletions_open ON deletions (at) WHERE done = 0;

CREATE INDEX room_reads_by_user ON room_reads (user_id, room);

-- +goose Down
DROP INDEX room_reads_by_user;
DROP TABLE deletions;
