-- +goose Up
CREATE TABLE chat_rules (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  pattern TEXT NOT NULL,
  channels TEXT NOT NULL DEFAULT '[]',
  who TEXT NOT NULL DEFAULT '[]',
  approvals INTEGER NOT NULL DEFAULT 0,
  cooldown_seconds INTEGER NOT NULL DEFAULT 0,
  cooldown_of TEXT NOT NULL DEFAULT 'user',
  created_at DATETIME NOT NULL
);
CREATE INDEX chat_rules_project ON chat_rules (project_id);
CREATE TABLE chat_approvals (
  command_id INTEGER NOT NULL REFERENCES chat_commands (id) ON DELETE CASCADE,
  user_id INTEGER NOT NULL,
  created_at DATETIME NOT NULL,
  PRIMARY KEY (command_id, user_id)
);

-- +goose Down
SELECT 1;
