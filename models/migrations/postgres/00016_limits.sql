-- +goose Up
CREATE INDEX pipelines_user ON pipelines (user_id, id);
CREATE INDEX pipelines_age ON pipelines (project_id, created_at);

-- +goose Down
SELECT 1;
