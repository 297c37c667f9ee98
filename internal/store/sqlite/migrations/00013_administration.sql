-- What admins do is written down for good: no line is changed, and none goes but by its age, once what is older than a
-- moment has been given up. A revocation is the last one of a user.

-- +goose Up
CREATE TABLE audit (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    at       INTEGER NOT NULL,
    actor    TEXT    NOT NULL,
    username TEXT    NOT NULL, -- the actor's, as it was then
    action   TEXT    NOT NULL,
    target   TEXT    NOT NULL,
    detail   TEXT    NOT NULL,
    key      TEXT              -- of the actor's request
) STRICT;
CREATE INDEX audit_by_time ON audit (at, number);
CREATE INDEX audit_by_actor ON audit (actor, at, number);
CREATE INDEX audit_by_action ON audit (action, at, number);
CREATE INDEX audit_by_target ON audit (target, at, number);
CREATE INDEX audit_by_key ON audit (actor, key, at) WHERE key IS NOT NULL;

CREATE TABLE audit_kept (since INTEGER NOT NULL) STRICT; -- one row, which only rises
INSERT INTO audit_kept (since) VALUES (-9223372036854775808);

-- +goose StatementBegin
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'what was written down of an admin is not changed');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
WHEN OLD.at >= (SELECT max(since) FROM audit_kept)
BEGIN
    SELECT RAISE(ABORT, 'what was written down of an admin is not deleted before its time');
END;
-- +goose StatementEnd

CREATE TABLE revocations (
    user_id TEXT    NOT NULL PRIMARY KEY,
    at      INTEGER NOT NULL -- tokens issued up to then are refused
) STRICT, WITHOUT ROWID;
CREATE INDEX revocations_by_time ON revocations (at);

-- +goose Down
DROP TABLE revocations;
DROP TABLE audit_kept;
DROP TABLE audit;
