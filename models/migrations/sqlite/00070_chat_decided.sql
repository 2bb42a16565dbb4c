-- +goose Up
ALTER TABLE chat_commands ADD COLUMN decided_pipeline_id BIGINT;
ALTER TABLE chat_commands ADD COLUMN decided_job_id BIGINT;
ALTER TABLE chat_commands ADD COLUMN decided_ref TEXT NOT NULL DEFAULT '';
ALTER TABLE chat_commands ADD COLUMN decided_sha TEXT NOT NULL DEFAULT '';
ALTER TABLE chat_commands ADD COLUMN turn BIGINT NOT NULL DEFAULT 0;

-- +goose Down
SELECT 1;
