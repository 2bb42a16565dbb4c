-- +goose Up
ALTER TABLE artifacts ADD COLUMN access TEXT NOT NULL DEFAULT 'all';
ALTER TABLE artifacts ADD COLUMN locked BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE pipelines ADD COLUMN locked BOOLEAN NOT NULL DEFAULT FALSE;
DROP INDEX artifacts_expiry;
CREATE INDEX artifacts_expiry ON artifacts (expire_at) WHERE NOT locked;
CREATE INDEX pipelines_locked ON pipelines (project_id, ref, id) WHERE locked;

-- +goose Down
SELECT 1;
