-- +goose Up
-- Messages are found by the terms of their texts, which are numbers. What was stored before is indexed while servers run: what
-- lies below the place is not in the index yet.
CREATE TABLE message_terms (
    room bigint NOT NULL,
    term bigint NOT NULL,
    seq  bigint NOT NULL,
    PRIMARY KEY (room, term, seq)
);
CREATE TABLE message_index (
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    version bigint  NOT NULL, -- of what terms are made of a text, 0 before there are any
    at      bigint  NOT NULL,
    room    bigint  NOT NULL,
    seq     bigint  NOT NULL
);
INSERT INTO message_index (version, at, room, seq) VALUES (0, 0, 0, 0);
CREATE INDEX rooms_open ON rooms (number) WHERE kind = 'open';

-- +goose Down
DROP INDEX rooms_open;
DROP TABLE message_index;
DROP TABLE message_terms;
