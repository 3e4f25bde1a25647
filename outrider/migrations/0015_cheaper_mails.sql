-- What is written with every mail, made cheaper. What goes with a campaign or a message is removed by one statement for
-- all of them; a foreign key would look its parent up, and lock it, for every single row that is added.
ALTER TABLE dispatches DROP CONSTRAINT dispatches_campaign_id_fkey;
ALTER TABLE message_events DROP CONSTRAINT message_events_campaign_id_fkey;
ALTER TABLE message_bodies DROP CONSTRAINT message_bodies_message_id_fkey;

CREATE FUNCTION remove_with_campaigns() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM dispatches USING gone WHERE dispatches.campaign_id = gone.id;
    DELETE FROM message_events USING gone WHERE message_events.campaign_id = gone.id;
    RETURN NULL;
END $$;
CREATE TRIGGER remove_with_campaigns AFTER DELETE ON campaigns
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION remove_with_campaigns();

CREATE FUNCTION remove_with_messages() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM message_bodies USING gone WHERE message_bodies.message_id = gone.id;
    RETURN NULL;
END $$;
CREATE TRIGGER remove_with_messages AFTER DELETE ON messages
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION remove_with_messages();

-- No index knows a column that an outcome changes, so a sent mail is changed in place.
DROP INDEX messages_campaign_sent;
CREATE INDEX messages_campaign ON messages (campaign_id, id);
ALTER TABLE messages ADD COLUMN is_doubtful boolean NOT NULL DEFAULT false;
UPDATE messages SET is_doubtful = true WHERE status = 'UNKNOWN';
DROP INDEX messages_doubtful;
CREATE INDEX messages_doubtful ON messages (mailbox_id) WHERE is_doubtful;
ALTER TABLE messages SET (fillfactor = 60);

-- The Message-ID of a step's mail names its stats_id, which has an index.
DROP INDEX messages_message_id;
CREATE INDEX messages_message_id ON messages USING hash (message_id) WHERE step_id IS NULL;

DROP INDEX campaign_leads_returning; -- the same as campaign_leads_resume
