-- +goose Up
ALTER TABLE chat_integrations ADD COLUMN server_url TEXT NOT NULL DEFAULT '';
ALTER TABLE chat_integrations ADD COLUMN app_token BLOB;
ALTER TABLE chat_integrations ADD COLUMN application_id TEXT NOT NULL DEFAULT '';
ALTER TABLE chat_integrations ADD COLUMN public_key TEXT NOT NULL DEFAULT '';
ALTER TABLE chat_integrations ADD COLUMN quiet BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE chat_integrations ADD COLUMN credential TEXT NOT NULL DEFAULT '';
ALTER TABLE chat_identities ADD COLUMN credential TEXT NOT NULL DEFAULT '';
ALTER TABLE chat_links ADD COLUMN confirms BIGINT;
ALTER TABLE chat_links ADD COLUMN response_url BLOB;
ALTER TABLE chat_links ADD COLUMN channel_id TEXT NOT NULL DEFAULT '';
ALTER TABLE chat_commands ADD COLUMN message_id TEXT NOT NULL DEFAULT '';
ALTER TABLE chat_commands ADD COLUMN shown TEXT NOT NULL DEFAULT '';
ALTER TABLE chat_commands ADD COLUMN claimed_until DATETIME;
ALTER TABLE chat_commands ADD COLUMN private_reply TEXT;
ALTER TABLE chat_commands ADD COLUMN whispered BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE chat_commands ADD COLUMN rich TEXT NOT NULL DEFAULT '';

-- +goose Down
SELECT 1;
