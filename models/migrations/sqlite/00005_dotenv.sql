-- +goose Up
CREATE TABLE dotenvs (
  job_id INTEGER PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
  variables BLOB NOT NULL
);

-- +goose Down
SELECT 1;
