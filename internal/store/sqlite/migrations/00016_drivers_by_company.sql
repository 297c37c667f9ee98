-- The drivers of a company are looked up when a server is the first to show them.

-- +goose Up
CREATE INDEX drivers_by_company ON drivers (company_id, driver_id);

-- +goose Down
DROP INDEX drivers_by_company;
