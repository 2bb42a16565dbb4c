-- +goose Up
ALTER TABLE chat_commands ADD COLUMN fillable boolean NOT NULL DEFAULT FALSE;

-- +goose Down
SELECT 1;
