-- +goose Up
ALTER TABLE jobs ADD COLUMN bridge BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE pipelines ADD COLUMN source_job_id BIGINT;
ALTER TABLE pipelines ADD COLUMN upstream_id BIGINT;
ALTER TABLE pipelines ADD COLUMN root_id BIGINT;
CREATE INDEX pipelines_source_job ON pipelines (source_job_id) WHERE source_job_id IS NOT NULL;
CREATE INDEX pipelines_upstream ON pipelines (upstream_id) WHERE upstream_id IS NOT NULL;
CREATE INDEX pipelines_root ON pipelines (root_id) WHERE root_id IS NOT NULL;

-- +goose Down
SELECT 1;
