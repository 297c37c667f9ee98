-- A person's conversations are listed in the order in which they were last active: a message, or a change of a group. A direct
-- room keeps that for its two people as well, however many they have; of groups and open rooms a person has few. Who writes in
-- an open room takes part in it from then on.

-- +goose Up
ALTER TABLE rooms ADD COLUMN active_at INTEGER NOT NULL DEFAULT 0; -- never falls
UPDATE rooms SET active_at = max(created_at,
    coalesce((SELECT m.timestamp FROM messages m WHERE m.room = rooms.number ORDER BY m.seq DESC LIMIT 1), 0),
    coalesce((SELECT max(x.removed_at) FROM room_removals x WHERE x.room = rooms.number), 0));

ALTER TABLE room_members ADD COLUMN active_at INTEGER NOT NULL DEFAULT 0;    -- a direct room's, 0 before its first message
ALTER TABLE room_members ADD COLUMN counted_from INTEGER NOT NULL DEFAULT 0; -- no message up to this seq is unread
ALTER TABLE room_members ADD COLUMN muted INTEGER NOT NULL DEFAULT 0;
UPDATE room_members SET active_at = coalesce(
    (SELECT r.active_at FROM rooms r WHERE r.number = room_members.room AND r.last_seq > 0), 0) WHERE kind = 'direct';
CREATE INDEX room_members_by_activity ON room_members (user_id, active_at, room) WHERE kind = 'direct';

INSERT INTO room_members (room, user_id, kind, wrote, counted_from)
    SELECT m.room, m.user_id, 'open', 1, min(m.seq) - 1 FROM messages m JOIN rooms r ON r.number = m.room AND r.kind = 'open'
    GROUP BY m.room, m.user_id;

-- +goose Down
DELETE FROM room_members WHERE kind = 'open';
DROP INDEX room_members_by_activity;
ALTER TABLE room_members DROP COLUMN muted;
ALTER TABLE room_members DROP COLUMN counted_from;
ALTER TABLE room_members DROP COLUMN active_at;
ALTER TABLE rooms DROP COLUMN active_at;
