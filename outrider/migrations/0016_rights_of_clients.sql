-- Clients with rights, a brand and keys of their own; who of the team looks after a campaign.

ALTER TABLE clients
    ADD COLUMN uuid                    uuid NOT NULL DEFAULT gen_random_uuid(),
    ADD COLUMN password_hash           text,
    ADD COLUMN permissions             text[] NOT NULL DEFAULT '{reply_master_inbox}',
    ADD COLUMN logo                    text,                            -- the name of the brand, or an image as data
    ADD COLUMN logo_url                text,
    ADD COLUMN restricted_category_ids bigint[] NOT NULL DEFAULT '{}',  -- hidden from the client
    ADD COLUMN is_whitelabel           boolean NOT NULL DEFAULT false,
    ADD COLUMN is_credit_assigned      boolean NOT NULL DEFAULT false,
    ADD COLUMN email_credits           bigint NOT NULL DEFAULT 0 CHECK (email_credits >= 0),
    ADD COLUMN lead_credits            bigint NOT NULL DEFAULT 0 CHECK (lead_credits >= 0),
    ADD COLUMN settings                jsonb;                           -- as given, without effect

-- An address logs in as one client or one person of the whole installation.
CREATE UNIQUE INDEX clients_email ON clients (email);

ALTER TABLE api_keys
    ADD COLUMN updated_at   timestamptz,                                -- null: as it was made
    ADD COLUMN last_used_at timestamptz,                                -- to the minute
    ADD COLUMN sealed_key   bytea;                                      -- with CLIENT_KEYS_PLAINTEXT only
CREATE INDEX api_keys_client_id ON api_keys (client_id) WHERE client_id IS NOT NULL;

ALTER TABLE campaigns ADD COLUMN team_member_id bigint REFERENCES people ON DELETE SET NULL;
