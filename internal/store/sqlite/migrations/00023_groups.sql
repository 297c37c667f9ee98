-- What becomes of a group is an entry of its log, among the messages: it has no author, so that it counts for nobody as unread or
-- as their own, and what it says is JSON. A group has an owner, who may hand it over. A member sees of the log what comes behind a
-- place: sees_after is that of the last message they do not see, 0 for who sees all.

-- +goose Up
ALTER TABLE messages ADD COLUMN system TEXT NOT NULL DEFAULT ''; -- '' for what somebody has said

ALTER TABLE rooms ADD COLUMN owner TEXT NOT NULL DEFAULT ''; -- a group's
ALTER TABLE rooms ADD COLUMN history TEXT NOT NULL DEFAULT 'joined'; -- from where on those see a group who are added: 'joined', 'all'
ALTER TABLE rooms ADD COLUMN client_id TEXT; -- its maker's own id for a group
ALTER TABLE rooms ADD COLUMN made_as INTEGER NOT NULL DEFAULT 0; -- a digest of what the maker asked for
CREATE UNIQUE INDEX rooms_by_client_id ON rooms (created_by, client_id) WHERE client_id IS NOT NULL;
UPDATE rooms SET owner = coalesce(
    (SELECT me.user_id FROM room_members me WHERE me.room = rooms.number AND me.user_id = rooms.created_by),
    (SELECT min(me.user_id) FROM room_members me WHERE me.room = rooms.number), '') WHERE kind = 'group';

ALTER TABLE room_members ADD COLUMN joined INTEGER NOT NULL DEFAULT 0;     -- the revision by which a group has the member, 0 for its first
ALTER TABLE room_members ADD COLUMN sees_after INTEGER NOT NULL DEFAULT 0;
ALTER TABLE room_removals ADD COLUMN joined INTEGER NOT NULL DEFAULT 0;    -- what was the member's until then
ALTER TABLE room_removals ADD COLUMN sees_after INTEGER NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE room_removals DROP COLUMN sees_after;
ALTER TABLE room_removals DROP COLUMN joined;
ALTER TABLE room_members DROP COLUMN sees_after;
ALTER TABLE room_members DROP COLUMN joined;
DROP INDEX rooms_by_client_id;
ALTER TABLE rooms DROP COLUMN made_as;
ALTER TABLE rooms DROP COLUMN client_id;
ALTER TABLE rooms DROP COLUMN history;
ALTER TABLE rooms DROP COLUMN owner;
ALTER TABLE messages DROP COLUMN system;
