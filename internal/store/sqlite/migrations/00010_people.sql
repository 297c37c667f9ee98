-- People are found by keys made of their names and ids, in a form that SQLite does not know: who is not keyed yet is keyed
-- when the store is opened. Two people share a conversation where both have written in it.

-- +goose Up
ALTER TABLE users DROP COLUMN folded_name;
ALTER TABLE users ADD COLUMN keyed INTEGER NOT NULL DEFAULT 0;
CREATE INDEX users_by_company_and_role ON users (company_id, role);
CREATE INDEX users_unkeyed ON users (user_id) WHERE keyed = 0;

CREATE TABLE user_keys (
    key     TEXT NOT NULL,
    user_id TEXT NOT NULL,
    PRIMARY KEY (key, user_id)
) STRICT, WITHOUT ROWID;

ALTER TABLE room_members ADD COLUMN kind TEXT NOT NULL DEFAULT 'direct'; -- the room's
ALTER TABLE room_members ADD COLUMN wrote INTEGER NOT NULL DEFAULT 0;    -- whether the member has written in it
UPDATE room_members SET kind = 'group' WHERE room IN (SELECT number FROM rooms WHERE kind = 'group');
UPDATE room_members SET wrote = 1 WHERE (room, user_id) IN (SELECT DISTINCT room, user_id FROM messages);
DROP INDEX room_members_by_user;
CREATE INDEX room_members_by_user ON room_members (user_id, kind, wrote, room);
CREATE INDEX room_members_who_wrote ON room_members (room, user_id) WHERE wrote = 1;
CREATE INDEX rooms_by_maker ON rooms (created_by, created_at) WHERE kind = 'group';

-- +goose Down
DROP INDEX rooms_by_maker;
DROP INDEX room_members_who_wrote;
DROP INDEX room_members_by_user;
CREATE INDEX room_members_by_user ON room_members (user_id);
ALTER TABLE room_members DROP COLUMN wrote;
ALTER TABLE room_members DROP COLUMN kind;
DROP TABLE user_keys;
DROP INDEX users_unkeyed;
DROP INDEX users_by_company_and_role;
ALTER TABLE users DROP COLUMN keyed;
ALTER TABLE users ADD COLUMN folded_name TEXT NOT NULL DEFAULT '';
UPDATE users SET folded_name = lower(username);
