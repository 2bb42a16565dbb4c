-- +goose Up
CREATE TABLE redirects (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE,
    project_id INTEGER REFERENCES projects (id) ON DELETE CASCADE,
    namespace_id INTEGER REFERENCES namespaces (id) ON DELETE CASCADE,
    created_at DATETIME NOT NULL
);
CREATE INDEX redirects_project ON redirects (project_id);
CREATE INDEX redirects_namespace ON redirects (namespace_id);

CREATE INDEX pipelines_ref_status ON pipelines (project_id, ref, status, id);

-- +goose Down
SELECT 1;
