-- Times are Unix milliseconds throughout. Ids that clients see are TEXT; the integer keys beside them keep the large
-- tables and their indexes small, and never leave the store.

-- +goose Up
CREATE TABLE users (
    user_id     TEXT    NOT NULL PRIMARY KEY,
    username    TEXT    NOT NULL,
    folded_name TEXT    NOT NULL, -- the username in lower case by Unicode's rules, which SQLite does not know
    role        TEXT    NOT NULL,
    company_id  TEXT    NOT NULL,
    last_seen   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX users_by_company ON users (company_id);
CREATE INDEX users_by_role ON users (role);

CREATE TABLE drivers (
    number     INTEGER PRIMARY KEY,
    driver_id  TEXT    NOT NULL UNIQUE,
    company_id TEXT    NOT NULL,
    username   TEXT    NOT NULL
) STRICT;

-- A driver's newest position is the last one in the order of (ts, number): it is looked up, not stored a second time.
-- The measurements are ANY because a REAL column stores whole numbers as integers and so turns -0.0 into 0.0.
CREATE TABLE positions (
    number     INTEGER PRIMARY KEY, -- rises in the order of arrival
    driver     INTEGER NOT NULL REFERENCES drivers (number),
    company_id TEXT    NOT NULL,    -- for whom the driver drove then
    ts         INTEGER NOT NULL,
    lat        ANY     NOT NULL,
    lng        ANY     NOT NULL,
    heading    ANY,
    speed      ANY,
    accuracy   ANY,
    altitude   ANY,
    battery    ANY,
    seq        INTEGER,
    digest     INTEGER NOT NULL,    -- a hash of all columns but driver and ts, to find exact duplicates
    UNIQUE (driver, ts, digest)
) STRICT;

CREATE TABLE rooms (
    number     INTEGER PRIMARY KEY,
    room_id    TEXT    NOT NULL UNIQUE,
    kind       TEXT    NOT NULL CHECK (kind IN ('direct', 'group', 'open')),
    name       TEXT    NOT NULL,
    created_by TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    last_seq   INTEGER NOT NULL DEFAULT 0 -- outlives the messages, so that no seq is given twice
) STRICT;

CREATE TABLE room_members (
    room    INTEGER NOT NULL REFERENCES rooms (number) ON DELETE CASCADE,
    user_id TEXT    NOT NULL,
    PRIMARY KEY (room, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX room_members_by_user ON room_members (user_id);

CREATE TABLE messages (
    number     INTEGER PRIMARY KEY,
    message_id TEXT    NOT NULL UNIQUE,
    room       INTEGER NOT NULL REFERENCES rooms (number) ON DELETE CASCADE,
    seq        INTEGER NOT NULL,
    user_id    TEXT    NOT NULL,
    username   TEXT    NOT NULL,
    role       TEXT    NOT NULL,
    text       TEXT    NOT NULL,
    reply_to   TEXT    NOT NULL,
    timestamp  INTEGER NOT NULL,
    client_id  TEXT,
    UNIQUE (room, seq)
) STRICT;
CREATE UNIQUE INDEX messages_by_client_id ON messages (room, user_id, client_id) WHERE client_id IS NOT NULL;
CREATE INDEX messages_by_timestamp ON messages (timestamp);

CREATE TABLE room_reads (
    room    INTEGER NOT NULL REFERENCES rooms (number) ON DELETE CASCADE,
    user_id TEXT    NOT NULL,
    seq     INTEGER NOT NULL,
    PRIMARY KEY (room, user_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE notices (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT, -- read marks refer to it, so it is never given twice
    notice_id     TEXT    NOT NULL UNIQUE,
    title         TEXT    NOT NULL,
    body          TEXT    NOT NULL,
    severity      TEXT    NOT NULL,
    audience      TEXT    NOT NULL, -- JSON
    data          BLOB,             -- the sender's JSON, byte for byte
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL, -- 0 for never
    require_ack   INTEGER NOT NULL,
    from_user_id  TEXT    NOT NULL,
    from_username TEXT    NOT NULL,
    retracted_at  INTEGER
) STRICT;

CREATE TABLE notice_rooms (
    room   TEXT    NOT NULL,
    notice INTEGER NOT NULL REFERENCES notices (seq) ON DELETE CASCADE,
    PRIMARY KEY (room, notice)
) STRICT, WITHOUT ROWID;
CREATE INDEX notice_rooms_by_notice ON notice_rooms (notice);

CREATE TABLE notice_reads (
    user_id TEXT    NOT NULL PRIMARY KEY,
    up_to   INTEGER NOT NULL,
    ahead   TEXT    NOT NULL -- JSON array of notices.seq
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency_keys (
    user_id    TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    digest     TEXT    NOT NULL,
    notice     INTEGER NOT NULL REFERENCES notices (seq) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
CREATE INDEX idempotency_keys_by_notice ON idempotency_keys (notice);

-- +goose Down
DROP TABLE idempotency_keys;
DROP TABLE notice_reads;
DROP TABLE notice_rooms;
DROP TABLE notices;
DROP TABLE room_reads;
DROP TABLE messages;
DROP TABLE room_members;
DROP TABLE rooms;
DROP TABLE positions;
DROP TABLE drivers;
DROP TABLE users;
