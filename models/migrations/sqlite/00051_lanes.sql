-- +goose Up
ALTER TABLE tasks ADD COLUMN lane SMALLINT NOT NULL DEFAULT 0;
UPDATE tasks SET lane = 1 WHERE outside;
UPDATE tasks SET lane = 2 WHERE kind = 'run-command';
DROP INDEX tasks_outside_due;
ALTER TABLE tasks DROP COLUMN outside;
CREATE INDEX tasks_lane_due ON tasks (lane, run_at);

-- +goose Down
SELECT 1;
