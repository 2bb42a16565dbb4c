-- +goose Up
CREATE TABLE slack_workspaces (
  team_id TEXT PRIMARY KEY,
  name TEXT NOT NULL DEFAULT '',
  app_id TEXT NOT NULL DEFAULT '',
  bot_user_id TEXT NOT NULL DEFAULT '',
  scopes TEXT NOT NULL DEFAULT '',
  bot_token BLOB,
  shared BOOLEAN NOT NULL DEFAULT FALSE,
  installed_by INTEGER,
  installed_at DATETIME NOT NULL
);
CREATE TABLE slack_installs (
  state_hash TEXT PRIMARY KEY,
  user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  project_id INTEGER REFERENCES projects (id) ON DELETE CASCADE,
  expires_at DATETIME NOT NULL
);
ALTER TABLE chat_integrations ADD COLUMN team_proved BOOLEAN NOT NULL DEFAULT FALSE;

-- +goose Down
SELECT 1;
