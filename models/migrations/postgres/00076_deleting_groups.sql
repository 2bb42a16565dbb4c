-- +goose Up
-- Whether a group is being deleted: nothing new is put into it.
ALTER TABLE namespaces ADD COLUMN deleting BOOLEAN NOT NULL DEFAULT FALSE;

-- +goose Down
SELECT 1;
