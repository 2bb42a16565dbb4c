-- +goose Up
ALTER TABLE tasks ADD COLUMN share TEXT NOT NULL DEFAULT '';
ALTER TABLE tasks ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tasks ADD COLUMN deaths INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tasks ADD COLUMN gave_up_at DATETIME;
CREATE INDEX tasks_kind_due ON tasks (lane, kind, run_at, share);
CREATE INDEX tasks_given_up ON tasks (gave_up_at) WHERE gave_up_at IS NOT NULL;

-- +goose Down
SELECT 1;
