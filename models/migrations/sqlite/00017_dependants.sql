-- +goose Up
CREATE TABLE job_needs (
  pipeline_id INTEGER NOT NULL REFERENCES pipelines (id) ON DELETE CASCADE,
  needed TEXT NOT NULL,
  dependant TEXT NOT NULL,
  PRIMARY KEY (pipeline_id, needed, dependant)
);
CREATE INDEX jobs_name ON jobs (pipeline_id, name);
CREATE INDEX jobs_open ON jobs (pipeline_id, status, stage_index) WHERE NOT retried
  AND status IN ('created', 'pending', 'running', 'manual', 'scheduled', 'preparing', 'waiting_for_resource', 'waiting_for_callback', 'canceling');
ALTER TABLE pipelines ADD COLUMN needs_known BOOLEAN NOT NULL DEFAULT FALSE;

-- +goose Down
SELECT 1;
