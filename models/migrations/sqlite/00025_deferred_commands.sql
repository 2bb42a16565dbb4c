-- +goose Up
ALTER TABLE chat_commands ADD COLUMN deferred BOOLEAN NOT NULL DEFAULT FALSE;

-- +goose Down
SELECT 1;
