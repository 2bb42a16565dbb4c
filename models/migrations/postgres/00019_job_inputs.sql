-- +goose Up
ALTER TABLE jobs ADD COLUMN inputs TEXT NOT NULL DEFAULT '';

-- +goose Down
SELECT 1;
