-- +goose Up
ALTER TABLE users ADD COLUMN bot BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE users ADD COLUMN external BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE users ADD COLUMN can_create_group BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE users ADD COLUMN projects_limit BIGINT NOT NULL DEFAULT 100000;
ALTER TABLE users ADD COLUMN note TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN private_profile BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE users ADD COLUMN created_by_id BIGINT;
ALTER TABLE users ADD COLUMN sign_in_count BIGINT NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN current_sign_in_at DATETIME;
ALTER TABLE users ADD COLUMN last_sign_in_at DATETIME;
ALTER TABLE users ADD COLUMN last_activity_at DATETIME;

ALTER TABLE personal_access_tokens ADD COLUMN description TEXT NOT NULL DEFAULT '';
ALTER TABLE personal_access_tokens ADD COLUMN project_id INTEGER REFERENCES projects (id) ON DELETE CASCADE;
ALTER TABLE personal_access_tokens ADD COLUMN namespace_id INTEGER REFERENCES namespaces (id) ON DELETE CASCADE;
CREATE INDEX personal_access_tokens_project ON personal_access_tokens (project_id);
CREATE INDEX personal_access_tokens_namespace ON personal_access_tokens (namespace_id);

ALTER TABLE projects ADD COLUMN last_activity_at DATETIME;
ALTER TABLE projects ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';
ALTER TABLE members ADD COLUMN created_by_id BIGINT;
ALTER TABLE pipelines ADD COLUMN name TEXT NOT NULL DEFAULT '';

CREATE INDEX pipelines_status ON pipelines (project_id, status, id);
CREATE INDEX pipelines_ref ON pipelines (project_id, ref, id);
CREATE INDEX pipelines_sha ON pipelines (project_id, sha, id);
CREATE INDEX pipelines_source ON pipelines (project_id, source, id);
CREATE INDEX artifacts_project ON artifacts (project_id, id);
CREATE INDEX jobs_status ON jobs (project_id, status, id);

-- +goose Down
SELECT 1;
