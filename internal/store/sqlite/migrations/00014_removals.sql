-- Who was taken out of a group by which change, and by whom: what was told of it can be told again.

-- +goose Up
CREATE TABLE room_removals (
    room        INTEGER NOT NULL REFERENCES rooms (number),
    revision    INTEGER NOT NULL,
    user_id     TEXT    NOT NULL,
    by_user_id  TEXT    NOT NULL,
    by_username TEXT    NOT NULL,
    removed_at  INTEGER NOT NULL, -- Unix milliseconds
    PRIMARY KEY (room, revision, user_id)
) WITHOUT ROWID, STRICT;
CREATE INDEX room_removals_by_user ON room_removals (user_id, removed_at);

-- +goose Down
DROP TABLE room_removals;
