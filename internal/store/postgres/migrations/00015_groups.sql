-- What becomes of a group is an entry of its log, among the messages: it has no author, so that it counts for nobody as unread or
-- as their own, and what it says is JSON. A group has an owner, who may hand it over. A member sees of the log what comes behind a
-- place: sees_after is that of the last message they do not see, 0 for who sees all.

-- +goose Up
ALTER TABLE messages ADD COLUMN system bytea NOT NULL DEFAULT ''; -- '' for what somebody has said

ALTER TABLE rooms
    ADD COLUMN owner     text   COLLATE "C" NOT NULL DEFAULT '',       -- a group's
    ADD COLUMN history   text   COLLATE "C" NOT NULL DEFAULT 'joined', -- from where on those see a group who are added: 'joined', 'all'
    ADD COLUMN client_id bytea,                                        -- its maker's own id for a group
    ADD COLUMN made_as   bigint NOT NULL DEFAULT 0;                    -- a digest of what the maker asked for
CREATE UNIQUE INDEX rooms_by_client_id ON rooms (created_by, client_id) WHERE client_id IS NOT NULL;
UPDATE rooms r SET owner = coalesce(
    (SELECT me.user_id FROM room_members me WHERE me.room = r.number AND me.user_id = r.created_by),
    (SELECT me.user_id FROM room_members me WHERE me.room = r.number ORDER BY me.user_id LIMIT 1), '') WHERE kind = 'group';

ALTER TABLE room_members
    ADD COLUMN joined     bigint NOT NULL DEFAULT 0, -- the revision by which a group has the member, 0 for its first
    ADD COLUMN sees_after bigint NOT NULL DEFAULT 0;
ALTER TABLE room_removals
    ADD COLUMN joined     bigint NOT NULL DEFAULT 0, -- what was the member's until then
    ADD COLUMN sees_after bigint NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE room_removals DROP COLUMN sees_after, DROP COLUMN joined;
ALTER TABLE room_members DROP COLUMN sees_after, DROP COLUMN joined;
DROP INDEX rooms_by_client_id;
ALTER TABLE rooms DROP COLUMN made_as, DROP COLUMN client_id, DROP COLUMN history, DROP COLUMN owner;
ALTER TABLE messages DROP COLUMN system;
