-- Who was taken out of a group by which change, and by whom: what was told of it can be told again.

-- +goose Up
CREATE TABLE room_removals (
    room        bigint NOT NULL REFERENCES rooms (number),
    revision    bigint NOT NULL,
    user_id     text   COLLATE "C" NOT NULL,
    by_user_id  text   COLLATE "C" NOT NULL,
    by_username bytea  NOT NULL,
    removed_at  bigint NOT NULL, -- Unix milliseconds
    PRIMARY KEY (room, revision, user_id)
);
CREATE INDEX room_removals_by_user ON room_removals (user_id, removed_at);

-- +goose Down
DROP TABLE room_removals;
