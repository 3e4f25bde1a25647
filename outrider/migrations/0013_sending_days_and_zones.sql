-- Two settings of our own: what a delay counts, and whose clock the sending hours are read from.

ALTER TABLE campaigns
    ADD COLUMN count_only_sending_days boolean NOT NULL DEFAULT false,
    ADD COLUMN use_lead_timezone boolean NOT NULL DEFAULT false;
