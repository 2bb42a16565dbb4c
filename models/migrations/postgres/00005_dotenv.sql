-- +goose Up
CREATE TABLE dotenvs (
  job_id BIGINT PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
  variables BYTEA NOT NULL
);

-- +goose Down
SELECT 1;
