-- Attachments beyond the bounds are told of, not kept; pictures inside of a mail are found by their Content-ID.

ALTER TABLE attachments
    ALTER COLUMN content DROP NOT NULL,  -- NULL: left out
    ADD COLUMN content_id text;
