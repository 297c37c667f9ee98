-- People report messages and others to the admins, who may close rooms.

-- +goose Up
CREATE TABLE reports (
    number       INTEGER PRIMARY KEY AUTOINCREMENT,
    report_id    TEXT    NOT NULL UNIQUE,
    user_id      TEXT    NOT NULL, -- whose report it is
    username     TEXT    NOT NULL,
    subject_id   TEXT    NOT NULL, -- who is reported
    subject_name TEXT    NOT NULL,
    room_id      TEXT    NOT NULL DEFAULT '', -- '' where no message is, as message_id
    message_id   TEXT    NOT NULL DEFAULT '',
    reason       TEXT    NOT NULL,
    comment      TEXT    NOT NULL,
    context      TEXT    NOT NULL, -- JSON: the messages around, as they were shown to whose report it is
    created_at   INTEGER NOT NULL, -- Unix milliseconds, as resolved_at, 0 where it is open
    resolved_at  INTEGER NOT NULL DEFAULT 0,
    resolved_by  TEXT    NOT NULL DEFAULT '',
    resolution   TEXT    NOT NULL DEFAULT '',
    client_id    TEXT
) STRICT;
CREATE UNIQUE INDEX reports_by_client ON reports (user_id, client_id) WHERE client_id IS NOT NULL;
CREATE INDEX reports_by_user ON reports (user_id, created_at);
CREATE INDEX reports_by_subject ON reports (subject_id);
CREATE INDEX reports_open ON reports (number) WHERE resolved_at = 0;
CREATE INDEX reports_resolved ON reports (number) WHERE resolved_at > 0;

ALTER TABLE rooms ADD COLUMN closed_at INTEGER NOT NULL DEFAULT 0; -- Unix milliseconds, 0 where it is open

-- +goose Down
ALTER TABLE rooms DROP COLUMN closed_at;
DROP TABLE reports;
