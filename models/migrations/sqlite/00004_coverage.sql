-- +goose Up
ALTER TABLE jobs ADD COLUMN coverage REAL;

-- +goose Down
SELECT 1;
