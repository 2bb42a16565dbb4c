-- +goose Up
ALTER TABLE environments ADD COLUMN auto_delete_at DATETIME;
CREATE INDEX environments_auto_delete ON environments (auto_delete_at) WHERE auto_delete_at IS NOT NULL;
ALTER TABLE jobs ADD COLUMN mirrors_id INTEGER;
CREATE INDEX jobs_mirrors ON jobs (mirrors_id) WHERE mirrors_id IS NOT NULL;

-- +goose Down
SELECT 1;
