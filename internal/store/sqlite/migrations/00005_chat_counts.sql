-- How many messages of others lie beyond a read mark is told by numbers that are looked up, however many they are. That
-- takes times which never fall within a room, so that what grows too old is always the room's beginning.

-- +goose Up
ALTER TABLE messages ADD COLUMN author_nth INTEGER NOT NULL DEFAULT 0; -- of its sender's messages in the room
UPDATE messages SET author_nth = counted.nth, timestamp = counted.latest FROM (
    SELECT number, row_number() OVER (PARTITION BY room, user_id ORDER BY seq) AS nth,
        max(timestamp) OVER (PARTITION BY room ORDER BY seq) AS latest
    FROM messages) AS counted
    WHERE counted.number = messages.number;
CREATE INDEX messages_by_author ON messages (room, user_id, seq);
CREATE INDEX room_reads_by_seq ON room_reads (room, seq);

-- A client id counts for all rooms of its sender. Until now it counted for one: of several from then the newest keeps it.
UPDATE messages SET client_id = NULL FROM (
    SELECT number, row_number() OVER (PARTITION BY user_id, client_id ORDER BY number DESC) AS place
    FROM messages WHERE client_id IS NOT NULL) AS numbered
    WHERE numbered.number = messages.number AND numbered.place > 1;
DROP INDEX messages_by_client_id;
CREATE UNIQUE INDEX messages_by_client_id ON messages (user_id, client_id) WHERE client_id IS NOT NULL;

-- +goose Down
DROP INDEX messages_by_client_id;
CREATE UNIQUE INDEX messages_by_client_id ON messages (room, user_id, client_id) WHERE client_id IS NOT NULL;
DROP INDEX room_reads_by_seq;
DROP INDEX messages_by_author;
ALTER TABLE messages DROP COLUMN author_nth;
