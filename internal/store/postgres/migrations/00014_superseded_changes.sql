-- What somebody has done to a message is superseded by the like that they do to it later, and not kept long after that.

-- +goose Up
DROP INDEX message_changes_by_message;
CREATE INDEX message_changes_by_person ON message_changes (room, seq, user_id, emoji, changed_at);
DELETE FROM message_changes WHERE EXISTS (SELECT 1 FROM message_changes later
    WHERE later.room = message_changes.room AND later.seq = message_changes.seq AND later.user_id = message_changes.user_id
        AND later.emoji = message_changes.emoji AND later.changed_at > message_changes.changed_at + 1800000);

-- +goose Down
DROP INDEX message_changes_by_person;
CREATE INDEX message_changes_by_message ON message_changes (room, seq);
