-- +goose Up
-- Whoever changes a room locks its row first, several rooms in the order of room_id: what is numbered in a room is so without
-- a gap, however many servers write. Rows are rewritten in place as long as pages have room.
CREATE TABLE rooms (
    number        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    room_id       text   COLLATE "C" NOT NULL UNIQUE,
    kind          text   NOT NULL CHECK (kind IN ('direct', 'group', 'open')),
    name          bytea  NOT NULL,
    created_by    text   COLLATE "C" NOT NULL,
    created_at    bigint NOT NULL,
    last_seq      bigint NOT NULL DEFAULT 0, -- outlives the messages, so that no seq is given twice
    revision      bigint NOT NULL DEFAULT 0,
    members_since bigint NOT NULL DEFAULT 0  -- the revision by which a group's members have become those they are
) WITH (fillfactor = 50);
CREATE INDEX rooms_by_maker ON rooms (created_by, created_at) WHERE kind = 'group';

CREATE TABLE room_members (
    room    bigint  NOT NULL REFERENCES rooms (number),
    user_id text    COLLATE "C" NOT NULL,
    kind    text    NOT NULL, -- the room's
    wrote   boolean NOT NULL DEFAULT false,
    PRIMARY KEY (room, user_id)
);
CREATE INDEX room_members_by_user ON room_members (user_id, kind, wrote, room);
CREATE INDEX room_members_who_wrote ON room_members (room, user_id) WHERE wrote;

-- Rooms are never deleted: a foreign key would cost each message a look at its room for nothing.
CREATE TABLE messages (
    room       bigint NOT NULL,
    seq        bigint NOT NULL,
    revision   bigint NOT NULL, -- of the change that made the message what it is
    author_nth bigint NOT NULL, -- of its sender's messages in the room
    timestamp  bigint NOT NULL, -- never falls within a room, so that what grows too old is always the room's beginning
    message_id text   COLLATE "C" NOT NULL UNIQUE,
    user_id    text   COLLATE "C" NOT NULL,
    username   bytea  NOT NULL,
    role       text   COLLATE "C" NOT NULL,
    text       bytea  NOT NULL,
    reply_to   text   COLLATE "C" NOT NULL,
    client_id  bytea,
    PRIMARY KEY (room, seq)
);
CREATE UNIQUE INDEX messages_by_client_id ON messages (user_id, client_id) WHERE client_id IS NOT NULL;
CREATE INDEX messages_by_timestamp ON messages (timestamp, room, seq);
CREATE INDEX messages_by_author ON messages (room, user_id, seq);

CREATE TABLE room_reads (
    room    bigint NOT NULL,
    user_id text   COLLATE "C" NOT NULL,
    seq     bigint NOT NULL,
    PRIMARY KEY (room, user_id)
) WITH (fillfactor = 70);
CREATE INDEX room_reads_by_seq ON room_reads (room, seq, user_id);

-- +goose Down
DROP TABLE room_reads;
DROP TABLE messages;
DROP TABLE room_members;
DROP TABLE rooms;
