-- +goose Up
CREATE TABLE drivers (
    number     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    driver_id  text   COLLATE "C" NOT NULL UNIQUE,
    company_id text   COLLATE "C" NOT NULL,
    username   bytea  NOT NULL,
    digest     bigint NOT NULL -- a hash of the three; 0 for a driver of whom nothing but positions is known
);

-- What a position's number is made of: that of the statement that stored it, and its place there. Numbers rise in the order of
-- arrival.
CREATE SEQUENCE position_batches;

-- A driver's newest position is the last one in the order of (ts, number): it is looked up, not stored a second time. The
-- partitions, one a day, are made and dropped by the program. Drivers are never deleted: a foreign key would cost each
-- position a look at its driver for nothing.
CREATE TABLE positions (
    driver     bigint  NOT NULL,
    ts         bigint  NOT NULL,
    number     bigint  NOT NULL,
    digest     bigint  NOT NULL, -- a hash of all columns but driver, ts and number, to find exact duplicates
    lat        float8  NOT NULL,
    lng        float8  NOT NULL,
    heading    float8,
    speed      float8,
    accuracy   float8,
    altitude   float8,
    battery    float8,
    seq        bigint,
    stamped    boolean NOT NULL, -- the time is the server's, and there is a seq
    company_id text    COLLATE "C" NOT NULL, -- for whom the driver drove then
    PRIMARY KEY (driver, ts, digest)
) PARTITION BY RANGE (ts);

-- +goose Down
DROP TABLE positions;
DROP SEQUENCE position_batches;
DROP TABLE drivers;
