-- +goose Up
ALTER TABLE chat_integrations ADD COLUMN team_id TEXT NOT NULL DEFAULT '';
ALTER TABLE chat_integrations ADD COLUMN alias TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX chat_integrations_alias ON chat_integrations (team_id, alias) WHERE chat = 'slack_app' AND alias <> '';
CREATE INDEX chat_identities_app ON chat_identities (team_id, chat_user_id) WHERE chat = 'slack_app';

-- +goose Down
SELECT 1;
