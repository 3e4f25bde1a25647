-- A claim is a row in dispatches; the message is written once its text is made. So a dispatch goes with its campaign,
-- and knows itself what was counted for it.
ALTER TABLE dispatches
    ADD COLUMN variant_id bigint,
    ADD COLUMN claimed_at timestamptz,
    DROP CONSTRAINT dispatches_message_id_fkey,
    ADD FOREIGN KEY (campaign_id) REFERENCES campaigns ON DELETE CASCADE;

UPDATE dispatches AS d
   SET variant_id = m.variant_id,
       claimed_at = coalesce(m.claimed_at, m.created_at)
  FROM messages AS m
 WHERE m.id = d.message_id;

ALTER TABLE dispatches ALTER COLUMN claimed_at SET NOT NULL;
