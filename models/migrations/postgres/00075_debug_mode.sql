-- +goose Up
-- Whether a job's log may show every variable; NULL for jobs of versions that did not keep it.
ALTER TABLE jobs ADD COLUMN debug_mode BOOLEAN;
ALTER TABLE hand_outs ADD COLUMN debug_mode BOOLEAN NOT NULL DEFAULT FALSE;

-- +goose Down
SELECT 1;
