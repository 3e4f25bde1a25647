-- What becomes of a mail whose text would have a gap for its lead; a step may be skipped for that, and the list of what
-- happened says so.
ALTER TABLE campaigns
    ADD COLUMN on_missing_variable text NOT NULL DEFAULT 'blank'
    CHECK (on_missing_variable IN ('blank', 'hold', 'skip_step'));

ALTER TABLE message_events DROP CONSTRAINT message_events_type_check;
ALTER TABLE message_events ADD CONSTRAINT message_events_type_check
    CHECK (type IN ('SENT', 'OPENED', 'CLICKED', 'REPLIED', 'BOUNCED', 'UNSUBSCRIBED', 'FAILED', 'SKIPPED'));
