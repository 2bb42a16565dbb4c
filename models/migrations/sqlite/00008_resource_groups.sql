-- +goose Up
CREATE TABLE resource_groups (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  key TEXT NOT NULL,
  process_mode TEXT NOT NULL DEFAULT 'unordered',
  holder_id INTEGER REFERENCES jobs (id) ON DELETE SET NULL,
  created_at DATETIME NOT NULL,
  updated_at DATETIME NOT NULL
);
CREATE UNIQUE INDEX resource_groups_key ON resource_groups (project_id, key);
CREATE INDEX resource_groups_holder ON resource_groups (holder_id);
ALTER TABLE jobs ADD COLUMN resource_group_id INTEGER;
CREATE INDEX jobs_resource_group ON jobs (resource_group_id, pipeline_id)
  WHERE resource_group_id IS NOT NULL AND status IN ('created', 'scheduled', 'waiting_for_resource');

-- +goose Down
SELECT 1;
