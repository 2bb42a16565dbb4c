-- +goose Up
CREATE TABLE merge_requests (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  iid INTEGER NOT NULL,
  author_id INTEGER NOT NULL,
  source_branch TEXT NOT NULL,
  target_branch TEXT NOT NULL,
  title TEXT NOT NULL,
  description TEXT NOT NULL DEFAULT '',
  state TEXT NOT NULL,
  labels TEXT NOT NULL DEFAULT '[]',
  assignees TEXT NOT NULL DEFAULT '[]',
  milestone TEXT NOT NULL DEFAULT '',
  squash BOOLEAN NOT NULL DEFAULT FALSE,
  ended_by_id INTEGER,
  merged_at DATETIME,
  closed_at DATETIME,
  created_at DATETIME NOT NULL,
  updated_at DATETIME NOT NULL,
  UNIQUE (project_id, iid)
);
CREATE UNIQUE INDEX merge_requests_open ON merge_requests (project_id, source_branch, target_branch) WHERE state = 'opened';
CREATE INDEX merge_requests_targets ON merge_requests (project_id, target_branch) WHERE state = 'opened';
CREATE INDEX merge_requests_authors ON merge_requests (author_id);
CREATE TABLE merge_request_diffs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  merge_request_id INTEGER NOT NULL REFERENCES merge_requests (id) ON DELETE CASCADE,
  head_sha TEXT NOT NULL,
  base_sha TEXT NOT NULL,
  start_sha TEXT NOT NULL,
  created_at DATETIME NOT NULL
);
CREATE INDEX merge_request_diffs_of ON merge_request_diffs (merge_request_id, id);
CREATE INDEX merge_request_diffs_heads ON merge_request_diffs (head_sha);
ALTER TABLE pipelines ADD COLUMN merge_request_id INTEGER REFERENCES merge_requests (id) ON DELETE SET NULL;
CREATE INDEX pipelines_merge_requests ON pipelines (merge_request_id, id) WHERE merge_request_id IS NOT NULL;

-- +goose Down
SELECT 1;
