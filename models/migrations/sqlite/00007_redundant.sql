-- +goose Up
ALTER TABLE pipelines ADD COLUMN on_new_commit TEXT NOT NULL DEFAULT '';
ALTER TABLE pipelines ADD COLUMN auto_canceled_by_id INTEGER;
ALTER TABLE jobs ADD COLUMN interruptible BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE jobs ADD COLUMN status_reason TEXT NOT NULL DEFAULT '';
CREATE INDEX pipelines_alive ON pipelines (project_id, ref, id)
  WHERE status IN ('created', 'waiting_for_resource', 'preparing', 'waiting_for_callback', 'pending', 'running', 'manual', 'scheduled');

-- +goose Down
SELECT 1;
