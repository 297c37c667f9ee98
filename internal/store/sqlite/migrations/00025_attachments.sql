-- People upload files, and put them into messages, each into one. A message has with it what is told of its files.

-- +goose Up
ALTER TABLE messages ADD COLUMN attachments TEXT NOT NULL DEFAULT ''; -- a JSON array, '' for none

CREATE TABLE attachments (
    attachment_id TEXT    NOT NULL PRIMARY KEY,
    user_id       TEXT    NOT NULL, -- who has uploaded it
    client_id     TEXT,
    received      TEXT    NOT NULL, -- the digest of what came, of which some may be left out of what is kept
    created_at    INTEGER NOT NULL,
    details       TEXT    NOT NULL, -- what is told of it, a JSON object
    spent         INTEGER NOT NULL DEFAULT 0, -- it was put into a message, or is not to be any more
    room          INTEGER, -- where the message is that it is in, NULL for none
    seq           INTEGER,
    FOREIGN KEY (room, seq) REFERENCES messages (room, seq) ON DELETE SET NULL
) STRICT;
CREATE UNIQUE INDEX attachments_by_client_id ON attachments (user_id, client_id) WHERE client_id IS NOT NULL;
CREATE INDEX attachments_by_message ON attachments (room, seq);
CREATE INDEX attachments_without_message ON attachments (spent, created_at) WHERE room IS NULL;

-- What servers have made up by themselves, and all that share the database have in common.
CREATE TABLE server_keys (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID, STRICT;

-- +goose Down
DROP TABLE server_keys;
DROP TABLE attachments;
ALTER TABLE messages DROP COLUMN attachments;
