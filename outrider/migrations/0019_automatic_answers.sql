-- What an automatic answer says, and complaints that providers pass on; which leads went on by themselves.

CREATE TABLE auto_replies (
    message_id        bigint PRIMARY KEY REFERENCES messages ON DELETE CASCADE,
    user_id           bigint NOT NULL REFERENCES accounts ON DELETE CASCADE,
    kind              text NOT NULL CHECK (kind IN ('OUT_OF_OFFICE', 'RECEIPT', 'GONE')),
    evidence          text NOT NULL,  -- the header or the words that gave it away
    returns_on        date,           -- the end of the absence as given, the last day of it or the first one back
    replacement_name  text NOT NULL,  -- empty: not named
    replacement_email text            -- who may be written to instead
);

ALTER TABLE messages DROP CONSTRAINT messages_kind_check;
ALTER TABLE messages ADD CONSTRAINT messages_kind_check CHECK (
    kind IN ('CAMPAIGN', 'MANUAL', 'TEST', 'REPLY', 'AUTO_REPLY', 'BOUNCE', 'COMPLAINT', 'UNTRACKED'));

ALTER TABLE campaign_leads ADD COLUMN has_returned boolean NOT NULL DEFAULT false;
