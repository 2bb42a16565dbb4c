-- +goose Up
CREATE TABLE users (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  username TEXT NOT NULL,
  name TEXT NOT NULL,
  email TEXT NOT NULL,
  password_hash TEXT NOT NULL DEFAULT '',
  state TEXT NOT NULL DEFAULT 'active',
  admin BOOLEAN NOT NULL DEFAULT FALSE,
  created_at DATETIME NOT NULL,
  updated_at DATETIME NOT NULL
);
CREATE UNIQUE INDEX users_username ON users (lower(username));
CREATE UNIQUE INDEX users_email ON users (lower(email));

CREATE TABLE personal_access_tokens (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  token_hash TEXT NOT NULL UNIQUE,
  scopes TEXT NOT NULL,
  expires_at DATETIME,
  revoked BOOLEAN NOT NULL DEFAULT FALSE,
  last_used_at DATETIME,
  created_at DATETIME NOT NULL
);
CREATE INDEX personal_access_tokens_user ON personal_access_tokens (user_id);

CREATE TABLE namespaces (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  parent_id INTEGER REFERENCES namespaces (id) ON DELETE CASCADE,
  owner_id INTEGER REFERENCES users (id) ON DELETE CASCADE,
  path TEXT NOT NULL,
  full_path TEXT NOT NULL,
  name TEXT NOT NULL,
  description TEXT NOT NULL DEFAULT '',
  visibility TEXT NOT NULL,
  traversal TEXT NOT NULL DEFAULT '',
  registration_token_hash TEXT NOT NULL DEFAULT '',
  created_at DATETIME NOT NULL
);
CREATE UNIQUE INDEX namespaces_full_path ON namespaces (lower(full_path));
CREATE INDEX namespaces_parent ON namespaces (parent_id);
CREATE INDEX namespaces_registration ON namespaces (registration_token_hash);

CREATE TABLE projects (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  namespace_id INTEGER NOT NULL REFERENCES namespaces (id),
  path TEXT NOT NULL,
  full_path TEXT NOT NULL,
  name TEXT NOT NULL,
  description TEXT NOT NULL DEFAULT '',
  visibility TEXT NOT NULL,
  default_branch TEXT NOT NULL,
  source TEXT NOT NULL DEFAULT 'hosted',
  mirror_url TEXT NOT NULL DEFAULT '',
  storage TEXT NOT NULL UNIQUE,
  ci_config_path TEXT NOT NULL DEFAULT '',
  builds_enabled BOOLEAN NOT NULL DEFAULT TRUE,
  shared_runners_enabled BOOLEAN NOT NULL DEFAULT TRUE,
  group_runners_enabled BOOLEAN NOT NULL DEFAULT TRUE,
  git_depth INTEGER NOT NULL DEFAULT 20,
  build_timeout INTEGER NOT NULL DEFAULT 3600,
  variables_minimum_role INTEGER NOT NULL DEFAULT 30,
  registration_token_hash TEXT NOT NULL DEFAULT '',
  creator_id INTEGER,
  archived BOOLEAN NOT NULL DEFAULT FALSE,
  pending_delete BOOLEAN NOT NULL DEFAULT FALSE,
  created_at DATETIME NOT NULL,
  updated_at DATETIME NOT NULL
);
CREATE UNIQUE INDEX projects_full_path ON projects (lower(full_path));
CREATE INDEX projects_namespace ON projects (namespace_id);
CREATE INDEX projects_registration ON projects (registration_token_hash);

CREATE TABLE members (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  namespace_id INTEGER REFERENCES namespaces (id) ON DELETE CASCADE,
  project_id INTEGER REFERENCES projects (id) ON DELETE CASCADE,
  access_level INTEGER NOT NULL,
  expires_at DATETIME,
  created_at DATETIME NOT NULL
);
CREATE UNIQUE INDEX members_namespace ON members (namespace_id, user_id);
CREATE UNIQUE INDEX members_project ON members (project_id, user_id);
CREATE INDEX members_user ON members (user_id);

CREATE TABLE protected_refs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  push_level INTEGER NOT NULL,
  merge_level INTEGER NOT NULL,
  allow_force_push BOOLEAN NOT NULL DEFAULT FALSE,
  created_at DATETIME NOT NULL
);
CREATE UNIQUE INDEX protected_refs_name ON protected_refs (project_id, kind, name);

CREATE TABLE variables (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  scope TEXT NOT NULL,
  scope_id INTEGER NOT NULL DEFAULT 0,
  key TEXT NOT NULL,
  value BLOB,
  type TEXT NOT NULL DEFAULT 'env_var',
  masked BOOLEAN NOT NULL DEFAULT FALSE,
  hidden BOOLEAN NOT NULL DEFAULT FALSE,
  protected BOOLEAN NOT NULL DEFAULT FALSE,
  raw BOOLEAN NOT NULL DEFAULT FALSE,
  environment_scope TEXT NOT NULL DEFAULT '*',
  description TEXT NOT NULL DEFAULT '',
  created_at DATETIME NOT NULL
);
CREATE UNIQUE INDEX variables_key ON variables (scope, scope_id, key, environment_scope);

CREATE TABLE runners (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  type TEXT NOT NULL,
  token_hash TEXT NOT NULL UNIQUE,
  short_token TEXT NOT NULL,
  token_expires_at DATETIME,
  namespace_id INTEGER REFERENCES namespaces (id) ON DELETE CASCADE,
  description TEXT NOT NULL DEFAULT '',
  maintenance_note TEXT NOT NULL DEFAULT '',
  active BOOLEAN NOT NULL DEFAULT TRUE,
  locked BOOLEAN NOT NULL DEFAULT FALSE,
  run_untagged BOOLEAN NOT NULL DEFAULT TRUE,
  ref_protected BOOLEAN NOT NULL DEFAULT FALSE,
  maximum_timeout INTEGER NOT NULL DEFAULT 0,
  tags TEXT NOT NULL DEFAULT '[]',
  creator_id INTEGER,
  created_at DATETIME NOT NULL
);
CREATE TABLE runner_projects (
  runner_id INTEGER NOT NULL REFERENCES runners (id) ON DELETE CASCADE,
  project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  PRIMARY KEY (runner_id, project_id)
);
CREATE INDEX runner_projects_project ON runner_projects (project_id);
CREATE TABLE runner_managers (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  runner_id INTEGER NOT NULL REFERENCES runners (id) ON DELETE CASCADE,
  system_id TEXT NOT NULL,
  version TEXT NOT NULL DEFAULT '',
  revision TEXT NOT NULL DEFAULT '',
  platform TEXT NOT NULL DEFAULT '',
  architecture TEXT NOT NULL DEFAULT '',
  executor TEXT NOT NULL DEFAULT '',
  ip_address TEXT NOT NULL DEFAULT '',
  features TEXT NOT NULL DEFAULT '{}',
  contacted_at DATETIME,
  created_at DATETIME NOT NULL
);
CREATE UNIQUE INDEX runner_managers_system ON runner_managers (runner_id, system_id);

CREATE TABLE iids (
  project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  value INTEGER NOT NULL,
  PRIMARY KEY (project_id, kind)
);

CREATE TABLE pipelines (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  iid INTEGER NOT NULL,
  project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  user_id INTEGER NOT NULL,
  source TEXT NOT NULL,
  ref TEXT NOT NULL,
  tag BOOLEAN NOT NULL DEFAULT FALSE,
  sha TEXT NOT NULL,
  before_sha TEXT NOT NULL DEFAULT '',
  protected BOOLEAN NOT NULL DEFAULT FALSE,
  status TEXT NOT NULL,
  failure_reason TEXT NOT NULL DEFAULT '',
  yaml_errors TEXT NOT NULL DEFAULT '',
  creation_key TEXT UNIQUE,
  commit_title TEXT NOT NULL DEFAULT '',
  created_at DATETIME NOT NULL,
  updated_at DATETIME NOT NULL,
  started_at DATETIME,
  finished_at DATETIME,
  duration INTEGER
);
CREATE UNIQUE INDEX pipelines_iid ON pipelines (project_id, iid);
CREATE INDEX pipelines_project ON pipelines (project_id, id);

CREATE TABLE pipeline_variables (
  pipeline_id INTEGER NOT NULL REFERENCES pipelines (id) ON DELETE CASCADE,
  key TEXT NOT NULL,
  value BLOB,
  type TEXT NOT NULL DEFAULT 'env_var',
  raw BOOLEAN NOT NULL DEFAULT FALSE,
  PRIMARY KEY (pipeline_id, key)
);

CREATE TABLE job_definitions (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  pipeline_id INTEGER NOT NULL REFERENCES pipelines (id) ON DELETE CASCADE,
  data TEXT NOT NULL
);
CREATE INDEX job_definitions_pipeline ON job_definitions (pipeline_id);

CREATE TABLE jobs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  pipeline_id INTEGER NOT NULL REFERENCES pipelines (id) ON DELETE CASCADE,
  project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  definition_id INTEGER NOT NULL,
  user_id INTEGER NOT NULL,
  name TEXT NOT NULL,
  stage TEXT NOT NULL,
  stage_index INTEGER NOT NULL,
  position INTEGER NOT NULL DEFAULT 0,
  needs TEXT,
  job_when TEXT NOT NULL,
  allow_failure BOOLEAN NOT NULL DEFAULT FALSE,
  enqueue_now BOOLEAN NOT NULL DEFAULT FALSE,
  retried BOOLEAN NOT NULL DEFAULT FALSE,
  status TEXT NOT NULL,
  failure_reason TEXT NOT NULL DEFAULT '',
  exit_code INTEGER,
  tags TEXT NOT NULL DEFAULT '[]',
  timeout INTEGER NOT NULL DEFAULT 0,
  runner_id INTEGER,
  manager_id INTEGER,
  token_hash TEXT NOT NULL DEFAULT '',
  trace_size INTEGER NOT NULL DEFAULT 0,
  trace_archived BOOLEAN NOT NULL DEFAULT FALSE,
  variables BLOB,
  created_at DATETIME NOT NULL,
  queued_at DATETIME,
  scheduled_at DATETIME,
  started_at DATETIME,
  finished_at DATETIME,
  erased_at DATETIME,
  erased_by_id INTEGER
);
CREATE INDEX jobs_pipeline ON jobs (pipeline_id, retried);
CREATE INDEX jobs_project ON jobs (project_id, id);
CREATE INDEX jobs_runner ON jobs (runner_id, id);
CREATE INDEX jobs_scheduled ON jobs (scheduled_at) WHERE status = 'scheduled';

CREATE TABLE pending_jobs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  job_id INTEGER NOT NULL UNIQUE REFERENCES jobs (id) ON DELETE CASCADE,
  project_id INTEGER NOT NULL,
  traversal TEXT NOT NULL,
  tags TEXT NOT NULL,
  protected BOOLEAN NOT NULL DEFAULT FALSE,
  shared_runners BOOLEAN NOT NULL DEFAULT TRUE,
  group_runners BOOLEAN NOT NULL DEFAULT TRUE,
  queued_at DATETIME NOT NULL
);
CREATE INDEX pending_jobs_queued ON pending_jobs (queued_at);

CREATE TABLE hand_outs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  job_id INTEGER NOT NULL UNIQUE REFERENCES jobs (id) ON DELETE CASCADE,
  project_id INTEGER NOT NULL,
  runner_id INTEGER NOT NULL,
  manager_id INTEGER NOT NULL,
  shared_runner BOOLEAN NOT NULL DEFAULT FALSE,
  cancel_gracefully BOOLEAN NOT NULL DEFAULT FALSE,
  token_hash TEXT NOT NULL UNIQUE,
  timeout INTEGER NOT NULL,
  expires_at DATETIME NOT NULL,
  accepted_at DATETIME,
  seen_at DATETIME NOT NULL,
  deadline_at DATETIME,
  created_at DATETIME NOT NULL
);
CREATE INDEX hand_outs_expiry ON hand_outs (expires_at);
CREATE INDEX hand_outs_runner ON hand_outs (runner_id);

CREATE TABLE artifacts (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  project_id INTEGER NOT NULL,
  type TEXT NOT NULL,
  format TEXT NOT NULL,
  filename TEXT NOT NULL,
  size INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  blob_key TEXT NOT NULL,
  expire_at DATETIME,
  created_at DATETIME NOT NULL
);
CREATE UNIQUE INDEX artifacts_type ON artifacts (job_id, type);
CREATE INDEX artifacts_expiry ON artifacts (expire_at);

CREATE TABLE chat_integrations (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  chat TEXT NOT NULL,
  active BOOLEAN NOT NULL DEFAULT TRUE,
  token_hash TEXT NOT NULL DEFAULT '',
  signing_secret BLOB,
  bot_token BLOB,
  channel_variable TEXT NOT NULL DEFAULT 'name',
  keep_ansi BOOLEAN NOT NULL DEFAULT FALSE,
  reply_hosts TEXT NOT NULL DEFAULT '[]',
  created_at DATETIME NOT NULL,
  updated_at DATETIME NOT NULL
);
CREATE UNIQUE INDEX chat_integrations_project ON chat_integrations (project_id, chat);

CREATE TABLE chat_identities (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  integration_id INTEGER NOT NULL REFERENCES chat_integrations (id) ON DELETE CASCADE,
  chat TEXT NOT NULL,
  team_id TEXT NOT NULL,
  team_domain TEXT NOT NULL DEFAULT '',
  chat_user_id TEXT NOT NULL,
  chat_user_name TEXT NOT NULL DEFAULT '',
  created_at DATETIME NOT NULL
);
CREATE UNIQUE INDEX chat_identities_user ON chat_identities (integration_id, team_id, chat_user_id);
CREATE INDEX chat_identities_owner ON chat_identities (user_id);

CREATE TABLE chat_links (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  token_hash TEXT NOT NULL UNIQUE,
  integration_id INTEGER NOT NULL REFERENCES chat_integrations (id) ON DELETE CASCADE,
  chat TEXT NOT NULL,
  team_id TEXT NOT NULL,
  team_domain TEXT NOT NULL,
  chat_user_id TEXT NOT NULL,
  chat_user_name TEXT NOT NULL,
  expires_at DATETIME NOT NULL,
  created_at DATETIME NOT NULL
);

CREATE TABLE chat_commands (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
  integration_id INTEGER,
  chat TEXT NOT NULL,
  delivery_key TEXT NOT NULL UNIQUE,
  team_id TEXT NOT NULL DEFAULT '',
  team_domain TEXT NOT NULL DEFAULT '',
  channel_id TEXT NOT NULL DEFAULT '',
  channel_name TEXT NOT NULL DEFAULT '',
  thread TEXT NOT NULL DEFAULT '',
  chat_user_id TEXT NOT NULL DEFAULT '',
  chat_user_name TEXT NOT NULL DEFAULT '',
  user_id INTEGER,
  trigger_word TEXT NOT NULL DEFAULT '',
  text TEXT NOT NULL,
  response_url BLOB,
  posts INTEGER NOT NULL DEFAULT 0,
  state TEXT NOT NULL,
  acknowledgement TEXT NOT NULL DEFAULT '',
  in_channel BOOLEAN NOT NULL DEFAULT FALSE,
  answered BOOLEAN NOT NULL DEFAULT FALSE,
  refusal TEXT NOT NULL DEFAULT '',
  pipeline_id INTEGER,
  job_id INTEGER,
  reply TEXT,
  delivery_error TEXT NOT NULL DEFAULT '',
  created_at DATETIME NOT NULL,
  finished_at DATETIME
);
CREATE INDEX chat_commands_project ON chat_commands (project_id, id);
CREATE INDEX chat_commands_pipeline ON chat_commands (pipeline_id);

CREATE TABLE tasks (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  key TEXT UNIQUE,
  payload TEXT NOT NULL,
  run_at DATETIME NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  locked_until DATETIME,
  last_error TEXT NOT NULL DEFAULT '',
  created_at DATETIME NOT NULL
);
CREATE INDEX tasks_due ON tasks (run_at);

CREATE TABLE leases (
  name TEXT PRIMARY KEY,
  holder TEXT NOT NULL,
  expires_at DATETIME NOT NULL
);

CREATE TABLE audit_events (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  user_id INTEGER,
  action TEXT NOT NULL,
  entity_type TEXT NOT NULL,
  entity_id INTEGER NOT NULL,
  details TEXT NOT NULL DEFAULT '',
  ip_address TEXT NOT NULL DEFAULT '',
  created_at DATETIME NOT NULL
);
CREATE INDEX audit_events_entity ON audit_events (entity_type, entity_id, id);

CREATE TABLE settings (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
);

CREATE TABLE sessions (
  token_hash TEXT PRIMARY KEY,
  data BLOB NOT NULL,
  expires_at DATETIME NOT NULL
);
CREATE INDEX sessions_expiry ON sessions (expires_at);

-- +goose Down
SELECT 1;
