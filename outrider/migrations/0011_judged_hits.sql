-- Hits are stored as they come and judged a moment later, when it is known what came with them.

ALTER TABLE tracking_hits
    ALTER COLUMN verdict DROP NOT NULL,
    ALTER COLUMN reason DROP NOT NULL,
    DROP CONSTRAINT tracking_hits_kind_check,
    ADD CONSTRAINT tracking_hits_kind_check CHECK (kind IN ('OPEN', 'CLICK', 'TRAP')),
    ADD COLUMN session_hash bytea,
    ADD COLUMN revision text CHECK (revision IN ('REPLY', 'HUMAN_HIT', 'BURST', 'TRAP')),
    ADD COLUMN revised_at timestamptz;

CREATE INDEX tracking_hits_waiting ON tracking_hits (occurred_at) WHERE verdict IS NULL;

-- Who looks at his own mails: the public addresses from which people of the account are logged in.

ALTER TABLE sessions ADD COLUMN address text;
CREATE INDEX sessions_address ON sessions (address) WHERE address IS NOT NULL;
