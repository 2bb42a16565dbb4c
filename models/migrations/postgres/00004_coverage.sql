-- +goose Up
ALTER TABLE jobs ADD COLUMN coverage DOUBLE PRECISION;

-- +goose Down
SELECT 1;
