-- +goose Up
CREATE INDEX chat_commands_runs ON chat_commands (project_id, user_id, channel_id, id) WHERE pipeline_id IS NOT NULL;
CREATE INDEX chat_commands_jobs ON chat_commands (project_id, id) WHERE job_id IS NOT NULL;

-- +goose Down
SELECT 1;
