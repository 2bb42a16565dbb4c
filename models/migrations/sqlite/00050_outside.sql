-- +goose Up
ALTER TABLE tasks ADD COLUMN outside BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX tasks_outside_due ON tasks (outside, run_at);
CREATE INDEX tasks_replies ON tasks (payload) WHERE kind = 'chat-reply';

-- +goose Down
SELECT 1;
