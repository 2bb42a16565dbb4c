-- +goose Up
CREATE TABLE sign_in_networks (
  user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  network TEXT NOT NULL,
  seen_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (user_id, network)
);
CREATE INDEX sign_in_networks_seen ON sign_in_networks (seen_at);

-- +goose Down
SELECT 1;
