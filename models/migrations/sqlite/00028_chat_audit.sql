-- +goose Up
CREATE INDEX chat_commands_age ON chat_commands (created_at);
CREATE INDEX chat_commands_made ON chat_commands (project_id, created_at);

-- +goose Down
SELECT 1;
