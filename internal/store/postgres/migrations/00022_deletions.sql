-- People are deleted: what was begun is finished, also by another start of a server.

-- +goose Up
CREATE TABLE deletions (
    user_id text    COLLATE "C" NOT NULL PRIMARY KEY,
    at      bigint  NOT NULL, -- Unix milliseconds: what is of the person up to then is taken away
    done    boolean NOT NULL DEFAULT false
);
CREATE INDEX deletions_open ON deletions (at) WHERE NOT done;

CREATE INDEX room_reads_by_user ON room_reads (user_id, room);

-- +goose Down
DROP INDEX room_reads_by_user;
DROP TABLE deletions;
