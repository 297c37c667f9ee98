-- Messages are found by the terms of their texts, which are numbers, and by where they were said. What was stored before is
-- indexed while the server runs: below says from which number on messages are in the index.

-- +goose Up
CREATE VIRTUAL TABLE message_terms USING fts5 (terms, content = '', contentless_delete = 1, tokenize = 'ascii', detail = 'none');

-- +goose StatementBegin
CREATE TRIGGER messages_are_not_found_any_more AFTER DELETE ON messages
BEGIN
    DELETE FROM message_terms WHERE rowid = OLD.number;
END;
-- +goose StatementEnd

CREATE TABLE message_index (
    version INTEGER NOT NULL, -- of what terms are made of a text, 0 before there are any
    below   INTEGER NOT NULL
) STRICT; -- one row
INSERT INTO message_index (version, below) VALUES (0, 0);
CREATE INDEX rooms_open ON rooms (number) WHERE kind = 'open';

-- +goose Down
DROP INDEX rooms_open;
DROP TABLE message_index;
DROP TRIGGER messages_are_not_found_any_more;
DROP TABLE message_terms;
