-- The revision of the change by which a group's members have become those they are. What somebody does in it is held against
-- the members that they were found among.

-- +goose Up
ALTER TABLE rooms ADD COLUMN members_since INTEGER NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE rooms DROP COLUMN members_since;
