-- Mailboxes that log in with a token of the provider instead of a password.

ALTER TABLE mailboxes
    ADD COLUMN access_token               bytea,                        -- sealed; set: this is an OAuth mailbox
    ADD COLUMN refresh_token              bytea,                        -- sealed; null: revoked, or there never was one
    ADD COLUMN token_expires_at           timestamptz,
    ADD COLUMN token_claimed_until        timestamptz,                  -- somebody is refreshing it
    ADD COLUMN use_whitelabel_credentials boolean NOT NULL DEFAULT false;
CREATE INDEX mailboxes_token_expires_at ON mailboxes (token_expires_at)
    WHERE refresh_token IS NOT NULL AND deleted_at IS NULL;
