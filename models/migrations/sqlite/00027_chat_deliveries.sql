-- +goose Up
CREATE TABLE chat_deliveries (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  integration_id BIGINT NOT NULL REFERENCES chat_integrations (id) ON DELETE CASCADE,
  command_id BIGINT,
  kind TEXT NOT NULL,
  verdict TEXT NOT NULL,
  reason TEXT NOT NULL DEFAULT '',
  status INTEGER NOT NULL,
  chat_user_id TEXT NOT NULL DEFAULT '',
  chat_user_name TEXT NOT NULL DEFAULT '',
  text TEXT NOT NULL DEFAULT '',
  times BIGINT NOT NULL DEFAULT 1,
  created_at DATETIME NOT NULL,
  last_at DATETIME NOT NULL
);
CREATE INDEX chat_deliveries_integration ON chat_deliveries (integration_id, id);
CREATE TABLE chat_posts (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  command_id BIGINT NOT NULL REFERENCES chat_commands (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  via TEXT NOT NULL,
  outcome TEXT NOT NULL,
  detail TEXT NOT NULL DEFAULT '',
  times BIGINT NOT NULL DEFAULT 1,
  created_at DATETIME NOT NULL,
  last_at DATETIME NOT NULL
);
CREATE INDEX chat_posts_command ON chat_posts (command_id, id);

-- +goose Down
SELECT 1;
