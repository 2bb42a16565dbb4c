-- +goose Up
CREATE TABLE releases (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  tag TEXT NOT NULL,
  name TEXT NOT NULL,
  description TEXT NOT NULL DEFAULT '',
  sha TEXT NOT NULL,
  author_id INTEGER NOT NULL,
  job_id INTEGER,
  links TEXT NOT NULL DEFAULT '[]',
  milestones TEXT NOT NULL DEFAULT '[]',
  released_at DATETIME NOT NULL,
  created_at DATETIME NOT NULL
);
CREATE UNIQUE INDEX releases_tag ON releases (project_id, tag);
CREATE INDEX releases_date ON releases (project_id, released_at);
CREATE TABLE job_token_scopes (
  project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  source_id INTEGER NOT NULL,
  created_at DATETIME NOT NULL,
  PRIMARY KEY (project_id, kind, source_id)
);
CREATE TABLE signing_keys (
  name TEXT PRIMARY KEY,
  key BLOB NOT NULL
);

ALTER TABLE jobs ADD COLUMN releases BOOLEAN NOT NULL DEFAULT FALSE;

-- +goose Down
SELECT 1;
