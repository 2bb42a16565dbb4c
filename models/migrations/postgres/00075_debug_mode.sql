-- +goose Up
-- Whether a job's log may show every variable; NULL for what versions made that did not keep it.
ALTER TABLE jobs ADD COLUMN debug_mode BOOLEAN;
ALTER TABLE hand_outs ADD COLUMN debug_mode BOOLEAN;

-- +goose Down
SELECT 1;
