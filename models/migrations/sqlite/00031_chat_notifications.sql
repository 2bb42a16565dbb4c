-- +goose Up
CREATE TABLE chat_notifications (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  chat TEXT NOT NULL,
  channel TEXT NOT NULL,
  pipelines BOOLEAN NOT NULL DEFAULT FALSE,
  jobs BOOLEAN NOT NULL DEFAULT FALSE,
  statuses TEXT NOT NULL DEFAULT '[]',
  branches TEXT NOT NULL DEFAULT '',
  only_changes BOOLEAN NOT NULL DEFAULT FALSE,
  created_at DATETIME NOT NULL
);
CREATE INDEX chat_notifications_project ON chat_notifications (project_id);

-- +goose Down
SELECT 1;
