-- Webhooks: what retriggers failed deliveries, and what several delivering processes need.

CREATE TABLE webhook_retriggers (
    id                uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    number            bigint NOT NULL GENERATED ALWAYS AS IDENTITY,     -- their order
    user_id           bigint NOT NULL REFERENCES accounts ON DELETE CASCADE,
    client_id         bigint REFERENCES clients ON DELETE CASCADE,      -- asked for by the key of this client
    campaign_id       bigint REFERENCES campaigns ON DELETE CASCADE,    -- null: all that the key may see
    from_time         timestamptz NOT NULL,
    to_time           timestamptz NOT NULL,
    status            text NOT NULL CHECK (status IN ('QUEUED', 'PROCESSING', 'COMPLETED', 'COMPLETED_WITH_FAILURES', 'FAILED')),
    total_events      integer NOT NULL,
    processed_events  integer NOT NULL DEFAULT 0,                       -- tried at least once again
    successful_events integer NOT NULL DEFAULT 0,
    failed_events     integer NOT NULL DEFAULT 0,                       -- failed again to the end
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    completed_at      timestamptz
);
CREATE INDEX webhook_retriggers_user_id ON webhook_retriggers (user_id, number);
CREATE INDEX webhook_retriggers_campaign_id ON webhook_retriggers (campaign_id);

ALTER TABLE webhook_deliveries
    ADD COLUMN campaign_lead_id bigint,                                 -- of the event: first attempts keep their order per lead
    ADD COLUMN leased_until timestamptz,                                -- real time: some process is delivering it
    ADD COLUMN retrigger_id uuid REFERENCES webhook_retriggers ON DELETE SET NULL,
    SET (fillfactor = 70);

-- A SCHEDULED delivery without a time waits for its batch of a retrigger.
DROP INDEX webhook_deliveries_due;
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, next_attempt_at, id)
    WHERE state = 'SCHEDULED' AND next_attempt_at IS NOT NULL;
CREATE INDEX webhook_deliveries_untried ON webhook_deliveries (campaign_lead_id, webhook_id, id)
    WHERE state = 'SCHEDULED' AND total_attempts = 0;
CREATE INDEX webhook_deliveries_failed ON webhook_deliveries (webhook_id, event_id) WHERE state = 'FAILED';
CREATE INDEX webhook_deliveries_retrigger ON webhook_deliveries (retrigger_id, event_id) WHERE retrigger_id IS NOT NULL;

-- Events outside of campaigns: unmatched replies, mailboxes that failed.
CREATE INDEX webhook_events_outside ON webhook_events (user_id, occurred_at) WHERE campaign_id IS NULL;
