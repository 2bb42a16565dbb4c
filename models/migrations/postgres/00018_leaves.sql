-- +goose Up
ALTER TABLE jobs ADD COLUMN leaves BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE jobs SET leaves = TRUE WHERE id IN (SELECT job_id FROM artifacts WHERE type IN ('archive', 'dotenv')) OR id IN (SELECT job_id FROM dotenvs) OR erased_at IS NOT NULL;
CREATE INDEX jobs_leaving ON jobs (pipeline_id, stage_index) WHERE leaves AND NOT retried;

-- +goose Down
SELECT 1;
