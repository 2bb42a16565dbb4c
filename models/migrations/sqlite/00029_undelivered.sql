-- +goose Up
CREATE INDEX chat_commands_undelivered ON chat_commands (integration_id, channel_id, id) WHERE state = 'running';

-- +goose Down
DROP INDEX chat_commands_undelivered;
