-- People upload files, and put them into messages, each into one. A message has with it what is told of its files.

-- +goose Up
ALTER TABLE messages ADD COLUMN attachments text NOT NULL DEFAULT ''; -- a JSON array, '' for none

CREATE TABLE attachments (
    attachment_id text   COLLATE "C" NOT NULL PRIMARY KEY,
    user_id       text   COLLATE "C" NOT NULL, -- who has uploaded it
    client_id     bytea,
    received      text   COLLATE "C" NOT NULL, -- the digest of what came, of which some may be left out of what is kept
    created_at    bigint NOT NULL,
    details       text   NOT NULL, -- what is told of it, a JSON object
    spent         boolean NOT NULL DEFAULT false, -- it was put into a message, or is not to be any more
    room          bigint, -- where the message is that it is in, NULL for none
    seq           bigint,
    FOREIGN KEY (room, seq) REFERENCES messages (room, seq) ON DELETE SET NULL
);
CREATE UNIQUE INDEX attachments_by_client_id ON attachments (user_id, client_id) WHERE client_id IS NOT NULL;
CREATE INDEX attachments_by_message ON attachments (room, seq);
CREATE INDEX attachments_without_message ON attachments (spent, created_at) WHERE room IS NULL;

-- What servers have made up by themselves, and all that share the database have in common.
CREATE TABLE server_keys (
    name  text COLLATE "C" NOT NULL PRIMARY KEY,
    value text COLLATE "C" NOT NULL
);

-- +goose Down
DROP TABLE server_keys;
DROP TABLE attachments;
ALTER TABLE messages DROP COLUMN attachments;
