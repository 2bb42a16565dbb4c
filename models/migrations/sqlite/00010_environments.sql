-- +goose Up
CREATE TABLE environments (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  slug TEXT NOT NULL,
  external_url TEXT NOT NULL DEFAULT '',
  tier TEXT NOT NULL,
  description TEXT NOT NULL DEFAULT '',
  state TEXT NOT NULL DEFAULT 'available',
  auto_stop_setting TEXT NOT NULL DEFAULT 'always',
  auto_stop_at DATETIME,
  created_at DATETIME NOT NULL,
  updated_at DATETIME NOT NULL
);
CREATE UNIQUE INDEX environments_name ON environments (project_id, name);
CREATE INDEX environments_auto_stop ON environments (auto_stop_at) WHERE auto_stop_at IS NOT NULL;
CREATE TABLE deployments (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  iid INTEGER NOT NULL,
  project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  environment_id INTEGER NOT NULL REFERENCES environments (id) ON DELETE CASCADE,
  job_id INTEGER REFERENCES jobs (id) ON DELETE SET NULL,
  pipeline_id INTEGER REFERENCES pipelines (id) ON DELETE SET NULL,
  user_id INTEGER NOT NULL,
  ref TEXT NOT NULL,
  tag BOOLEAN NOT NULL DEFAULT FALSE,
  sha TEXT NOT NULL,
  status TEXT NOT NULL,
  on_stop TEXT NOT NULL DEFAULT '',
  created_at DATETIME NOT NULL,
  updated_at DATETIME NOT NULL,
  finished_at DATETIME
);
CREATE UNIQUE INDEX deployments_iid ON deployments (project_id, iid);
CREATE UNIQUE INDEX deployments_job ON deployments (job_id);
CREATE INDEX deployments_project ON deployments (project_id, id);
CREATE INDEX deployments_environment ON deployments (environment_id, id);
CREATE INDEX deployments_success ON deployments (environment_id, id) WHERE status = 'success';
CREATE INDEX deployments_ref ON deployments (project_id, ref, environment_id);
CREATE INDEX deployments_pipeline ON deployments (pipeline_id);
ALTER TABLE jobs ADD COLUMN environment_id INTEGER;
ALTER TABLE jobs ADD COLUMN environment_action TEXT NOT NULL DEFAULT '';

-- +goose Down
SELECT 1;
