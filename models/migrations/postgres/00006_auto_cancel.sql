-- +goose Up
ALTER TABLE pipelines ADD COLUMN on_job_failure TEXT NOT NULL DEFAULT '';

-- +goose Down
SELECT 1;
