-- +goose Up
CREATE INDEX chat_integrations_sockets ON chat_integrations (id) WHERE app_token IS NOT NULL;

-- +goose Down
SELECT 1;
