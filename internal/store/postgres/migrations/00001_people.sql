-- Times are Unix milliseconds throughout. Ids are text that sorts by its bytes; what people write is bytea, since text has no
-- character U+0000: convert_from(username, 'UTF8') shows it.

-- +goose Up
CREATE TABLE users (
    user_id    text   COLLATE "C" NOT NULL PRIMARY KEY,
    username   bytea  NOT NULL,
    role       text   COLLATE "C" NOT NULL,
    company_id text   COLLATE "C" NOT NULL,
    last_seen  bigint NOT NULL
);
CREATE INDEX users_by_company_and_role ON users (company_id, role, user_id);
CREATE INDEX users_by_role ON users (role, user_id);

-- What people are found by: the beginnings of their names, words and ids, folded.
CREATE TABLE user_keys (
    key     bytea NOT NULL,
    user_id text  COLLATE "C" NOT NULL,
    PRIMARY KEY (key, user_id)
);

-- +goose Down
DROP TABLE user_keys;
DROP TABLE users;
