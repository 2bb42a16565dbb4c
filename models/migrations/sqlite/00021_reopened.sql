-- +goose Up
ALTER TABLE pipelines ADD COLUMN reopened_by_id INTEGER;

-- +goose Down
SELECT 1;
