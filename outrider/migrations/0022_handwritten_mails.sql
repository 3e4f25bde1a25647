-- Mails that people write by hand: answers (MANUAL) and forwards. Their ledger, and what became of them.
ALTER TABLE messages DROP CONSTRAINT messages_kind_check;
ALTER TABLE messages ADD CONSTRAINT messages_kind_check
    CHECK (kind IN ('CAMPAIGN', 'MANUAL', 'FORWARD', 'TEST', 'REPLY', 'AUTO_REPLY', 'BOUNCE', 'COMPLAINT',
                    'UNTRACKED'));

-- Such a mail has the stats_id of its conversation: only campaign mails have one of their own.
DROP INDEX messages_stats_id;
CREATE UNIQUE INDEX messages_stats_id ON messages (stats_id) WHERE step_id IS NOT NULL;

CREATE TABLE handwritten_mails (
    message_id          bigint PRIMARY KEY REFERENCES messages ON DELETE CASCADE,
    user_id             bigint NOT NULL,
    campaign_lead_id    bigint NOT NULL,
    mailbox_id          bigint NOT NULL,
    to_name             text NOT NULL,
    more_to             text[] NOT NULL DEFAULT '{}',                   -- besides messages.to_email
    bcc                 text[] NOT NULL DEFAULT '{}',
    state               text NOT NULL CHECK (state IN ('WAITING', 'HANDING_OVER', 'ENDED', 'CANCELLED')),
    scheduled_at        timestamptz,                                    -- null: at once
    due_at              timestamptz NOT NULL,                           -- the next try
    schedule_condition  text,                                           -- as given
    is_dropped_by_reply boolean NOT NULL DEFAULT false,                 -- an answer that comes before cancels it
    engine_id           uuid,
    attempt_count       integer NOT NULL DEFAULT 0,
    first_tried_at      timestamptz,
    ended_at            timestamptz
);
CREATE INDEX handwritten_mails_due ON handwritten_mails (mailbox_id, due_at) WHERE state = 'WAITING';
CREATE INDEX handwritten_mails_scheduled ON handwritten_mails (user_id, campaign_lead_id, due_at)
    WHERE state = 'WAITING' AND scheduled_at IS NOT NULL;
CREATE INDEX handwritten_mails_waiting ON handwritten_mails (campaign_lead_id) WHERE state = 'WAITING';
CREATE INDEX handwritten_mails_handing_over ON handwritten_mails (mailbox_id) WHERE state = 'HANDING_OVER';
