-- +goose Up
ALTER TABLE pipelines ADD COLUMN reopened_by_id BIGINT;

-- +goose Down
SELECT 1;
