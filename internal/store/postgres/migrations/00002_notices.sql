-- +goose Up
-- The number of the newest change of notices. Whoever makes changes locks the row until they are committed, so that the
-- order of the numbers is the order of the commits.
CREATE TABLE notice_changes (
    one      boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (one),
    last_seq bigint  NOT NULL
) WITH (fillfactor = 10);
INSERT INTO notice_changes (last_seq) VALUES (0);

CREATE TABLE notices (
    seq           bigint  NOT NULL PRIMARY KEY,
    notice_id     text    COLLATE "C" NOT NULL UNIQUE,
    title         bytea   NOT NULL,
    body          bytea   NOT NULL,
    severity      text    NOT NULL,
    audience      bytea   NOT NULL, -- JSON
    data          bytea,            -- the sender's JSON, byte for byte
    created_at    bigint  NOT NULL,
    expires_at    bigint  NOT NULL, -- 0 for never
    require_ack   boolean NOT NULL,
    from_user_id  text    COLLATE "C" NOT NULL,
    from_username bytea   NOT NULL,
    retracted_at  bigint,
    ended_seq     bigint            -- the number of the change by which it was retracted, or has expired
);
CREATE INDEX notices_by_expiry ON notices (expires_at) WHERE expires_at > 0 AND ended_seq IS NULL;
CREATE INDEX notices_by_creation ON notices (created_at, seq);

CREATE TABLE notice_rooms (
    room   text   COLLATE "C" NOT NULL,
    notice bigint NOT NULL REFERENCES notices (seq) ON DELETE CASCADE,
    PRIMARY KEY (room, notice)
);
CREATE INDEX notice_rooms_by_notice ON notice_rooms (notice);

CREATE TABLE notice_reads (
    user_id text     COLLATE "C" NOT NULL PRIMARY KEY,
    up_to   bigint   NOT NULL,
    ahead   bigint[] NOT NULL
);

CREATE TABLE idempotency_keys (
    user_id    text   COLLATE "C" NOT NULL,
    key        bytea  NOT NULL,
    digest     text   NOT NULL,
    notice     bigint NOT NULL REFERENCES notices (seq) ON DELETE CASCADE,
    created_at bigint NOT NULL,
    PRIMARY KEY (user_id, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
CREATE INDEX idempotency_keys_by_notice ON idempotency_keys (notice);

-- +goose Down
DROP TABLE idempotency_keys;
DROP TABLE notice_reads;
DROP TABLE notice_rooms;
DROP TABLE notices;
DROP TABLE notice_changes;
