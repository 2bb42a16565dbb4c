-- +goose Up
CREATE TABLE webhooks (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  url TEXT NOT NULL,
  name TEXT NOT NULL DEFAULT '',
  description TEXT NOT NULL DEFAULT '',
  token BLOB,
  custom_headers BLOB,
  url_variables BLOB,
  events TEXT NOT NULL DEFAULT '[]',
  ssl_verification BOOLEAN NOT NULL DEFAULT TRUE,
  branch_filter TEXT NOT NULL DEFAULT '',
  branch_filter_strategy TEXT NOT NULL DEFAULT 'wildcard',
  failures INTEGER NOT NULL DEFAULT 0,
  disabled_until DATETIME,
  created_at DATETIME NOT NULL
);
CREATE INDEX webhooks_project ON webhooks (project_id);
CREATE TABLE webhook_deliveries (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  webhook_id INTEGER NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
  key TEXT NOT NULL,
  event_uuid TEXT NOT NULL,
  event TEXT NOT NULL,
  url TEXT NOT NULL DEFAULT '',
  request_headers TEXT NOT NULL DEFAULT '{}',
  request_body BLOB NOT NULL,
  response_headers TEXT NOT NULL DEFAULT '{}',
  response_body TEXT NOT NULL DEFAULT '',
  response_status TEXT NOT NULL DEFAULT '',
  error TEXT NOT NULL DEFAULT '',
  duration REAL NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  created_at DATETIME NOT NULL
);
CREATE UNIQUE INDEX webhook_deliveries_key ON webhook_deliveries (webhook_id, key);
CREATE INDEX webhook_deliveries_age ON webhook_deliveries (created_at);

-- +goose Down
SELECT 1;
