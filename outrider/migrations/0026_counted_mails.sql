-- What the figures of an account are read from (docs/decisions/0024): each counted mail in a slim row, and sums of them.
-- Triggers only note which mails changed; the notes are worked off in stretches, by a job and by whoever asks.
CREATE TABLE mail_changes (
    user_id    bigint NOT NULL,
    message_id bigint NOT NULL
);
CREATE INDEX mail_changes_user_id ON mail_changes (user_id);

CREATE TABLE counted_mails (
    message_id              bigint PRIMARY KEY,
    user_id                 bigint NOT NULL,
    campaign_id             bigint NOT NULL,
    lead_email              text COLLATE "C" NOT NULL,                  -- with the campaign: who counts as one lead
    lead_id                 bigint,
    mailbox_id              bigint NOT NULL,
    from_email              text COLLATE "C" NOT NULL,
    step_number             integer NOT NULL,
    is_open_tracked         boolean NOT NULL,
    sent_at                 timestamptz NOT NULL,
    opened_at               timestamptz,
    clicked_at              timestamptz,
    replied_at              timestamptz,
    bounced_at              timestamptz,                                -- hard or soft
    unsubscribed_at         timestamptz,
    chain_id                bigint NOT NULL,                            -- the lead's first mail
    chain_began_at          timestamptz NOT NULL,                       -- when that one went out
    previous_sent_at        timestamptz,                                -- when the lead's mail before this one did
    previous_opened_sent_at timestamptz,                                -- the same of those that were opened, this one too
    is_moved                boolean NOT NULL                            -- the lead has mails of several senders
) WITH (fillfactor = 90);
CREATE INDEX counted_mails_lead ON counted_mails (campaign_id, lead_email);
CREATE INDEX counted_mails_lead_id ON counted_mails (lead_id);
CREATE INDEX counted_mails_sent ON counted_mails (user_id, sent_at)
    INCLUDE (campaign_id, mailbox_id, from_email, previous_sent_at, is_moved);
CREATE INDEX counted_mails_opened ON counted_mails (user_id, sent_at)
    INCLUDE (campaign_id, mailbox_id, from_email, previous_opened_sent_at, is_moved) WHERE opened_at IS NOT NULL;
CREATE INDEX counted_mails_replied ON counted_mails (user_id, sent_at)
    INCLUDE (campaign_id, lead_id, mailbox_id, from_email, chain_id, chain_began_at, replied_at) WHERE replied_at IS NOT NULL;
CREATE INDEX counted_mails_moved ON counted_mails (user_id, sent_at) WHERE is_moved;
-- How far apart two mails of a lead usually are decides where the others are looked for (analytics/rolled.py).
CREATE INDEX counted_mails_close ON counted_mails (user_id, sent_at) INCLUDE (campaign_id, previous_sent_at)
    WHERE sent_at - previous_sent_at < interval '24 hours';
CREATE INDEX counted_mails_far ON counted_mails (user_id, sent_at)
    INCLUDE (campaign_id, mailbox_id, from_email, previous_sent_at, is_moved)
    WHERE sent_at - previous_sent_at > interval '14 days';
CREATE INDEX counted_mails_opened_far ON counted_mails (user_id, sent_at)
    INCLUDE (campaign_id, mailbox_id, from_email, previous_opened_sent_at, is_moved)
    WHERE sent_at - previous_opened_sent_at > interval '14 days';

-- A quarter of an hour is the finest offset of any zone of today, so that days of all of them are sums of these.
CREATE TABLE mail_quarters (
    campaign_id           bigint NOT NULL,
    at                    timestamptz NOT NULL,                         -- where the quarter of an hour begins
    -- mails that were sent in it, and what became of them
    sent                  integer NOT NULL,
    opened                integer NOT NULL,
    clicked               integer NOT NULL,
    replied               integer NOT NULL,
    bounced               integer NOT NULL,
    unsubscribed          integer NOT NULL,
    follow_up_count       integer NOT NULL,
    follow_up_reply_count integer NOT NULL,
    untracked             integer NOT NULL,
    first_sent            integer NOT NULL,                             -- the first ones of their lead
    first_opened          integer NOT NULL,                             -- the first opened ones of their lead
    -- what happened in it, whenever the mail was sent
    opens                 integer NOT NULL,
    clicks                integer NOT NULL,
    replies               integer NOT NULL,
    bounces               integer NOT NULL,
    unsubscribes          integer NOT NULL,
    PRIMARY KEY (campaign_id, at)
) WITH (fillfactor = 80);

-- Days are UTC; what a window cuts off is read from the mails. Without leads that have mails of several senders.
CREATE TABLE mail_days (
    campaign_id  bigint NOT NULL,
    mailbox_id   bigint NOT NULL,
    from_email   text COLLATE "C" NOT NULL,
    day          date NOT NULL,
    sent         integer NOT NULL,
    opened       integer NOT NULL,
    clicked      integer NOT NULL,
    replied      integer NOT NULL,
    bounced      integer NOT NULL,
    untracked    integer NOT NULL,
    first_sent   integer NOT NULL,
    first_opened integer NOT NULL,
    PRIMARY KEY (campaign_id, mailbox_id, from_email, day)
) WITH (fillfactor = 80);

-- Which leads are positive, neutral, negative; few are any of it.
CREATE INDEX campaign_leads_categorised ON campaign_leads (user_id, campaign_id, lead_id) INCLUDE (category_id)
    WHERE category_id IS NOT NULL;

CREATE FUNCTION note_mail_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO mail_changes (user_id, message_id)
    SELECT user_id, id FROM changed WHERE step_id IS NOT NULL AND sent_at IS NOT NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER note_inserted_mails AFTER INSERT ON messages
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_mail_changes();
CREATE TRIGGER note_changed_mails AFTER UPDATE ON messages
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_mail_changes();
CREATE TRIGGER note_deleted_mails AFTER DELETE ON messages
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_mail_changes();

-- The mails of a step that left the figures.
CREATE FUNCTION note_mails_of_steps() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO mail_changes (user_id, message_id)
    SELECT m.user_id, m.id
      FROM after
      JOIN before ON before.id = after.id AND before.is_analytics_dropped <> after.is_analytics_dropped
      JOIN messages AS m ON m.campaign_id = after.campaign_id AND m.step_id = after.id
     WHERE m.sent_at IS NOT NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER note_mails_of_steps AFTER UPDATE ON steps
    REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION note_mails_of_steps();

CREATE OR REPLACE FUNCTION remove_with_campaigns() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM dispatches USING gone WHERE dispatches.campaign_id = gone.id;
    DELETE FROM message_events USING gone WHERE message_events.campaign_id = gone.id;
    DELETE FROM counted_mails USING gone WHERE counted_mails.campaign_id = gone.id;
    DELETE FROM mail_quarters USING gone WHERE mail_quarters.campaign_id = gone.id;
    DELETE FROM mail_days USING gone WHERE mail_days.campaign_id = gone.id;
    RETURN NULL;
END $$;

INSERT INTO mail_changes (user_id, message_id)
SELECT user_id, id FROM messages WHERE step_id IS NOT NULL AND sent_at IS NOT NULL;
