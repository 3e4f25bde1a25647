-- The same sums, coarser: what a report over everything reads (docs/decisions/0024).
CREATE TABLE mail_totals (
    campaign_id bigint NOT NULL,
    day         date NOT NULL,                                          -- UTC; the columns are those of mail_quarters
    sent integer NOT NULL,
    opened integer NOT NULL,
    clicked integer NOT NULL,
    replied integer NOT NULL,
    bounced integer NOT NULL,
    unsubscribed integer NOT NULL,
    follow_up_count integer NOT NULL,
    follow_up_reply_count integer NOT NULL,
    untracked integer NOT NULL,
    first_sent integer NOT NULL,
    first_opened integer NOT NULL,
    opens integer NOT NULL,
    clicks integer NOT NULL,
    replies integer NOT NULL,
    bounces integer NOT NULL,
    unsubscribes integer NOT NULL,
    PRIMARY KEY (campaign_id, day)
) WITH (fillfactor = 80);
INSERT INTO mail_totals
SELECT campaign_id, (at AT TIME ZONE 'UTC')::date,
       sum(sent),
       sum(opened),
       sum(clicked),
       sum(replied),
       sum(bounced),
       sum(unsubscribed),
       sum(follow_up_count),
       sum(follow_up_reply_count),
       sum(untracked),
       sum(first_sent),
       sum(first_opened),
       sum(opens),
       sum(clicks),
       sum(replies),
       sum(bounces),
       sum(unsubscribes)
  FROM mail_quarters
 GROUP BY campaign_id, (at AT TIME ZONE 'UTC')::date;

CREATE TABLE account_quarters (
    user_id bigint NOT NULL,
    at      timestamptz NOT NULL,                                       -- the columns are those of mail_quarters
    sent integer NOT NULL,
    opened integer NOT NULL,
    replied integer NOT NULL,
    bounced integer NOT NULL,
    unsubscribed integer NOT NULL,
    opens integer NOT NULL,
    clicks integer NOT NULL,
    replies integer NOT NULL,
    bounces integer NOT NULL,
    unsubscribes integer NOT NULL,
    PRIMARY KEY (user_id, at)
) WITH (fillfactor = 80);
INSERT INTO account_quarters
SELECT c.user_id, at,
       sum(sent),
       sum(opened),
       sum(replied),
       sum(bounced),
       sum(unsubscribed),
       sum(opens),
       sum(clicks),
       sum(replies),
       sum(bounces),
       sum(unsubscribes)
  FROM mail_quarters
  JOIN campaigns AS c ON c.id = campaign_id
 GROUP BY c.user_id, at;

-- Nobody works off notes of an account while a campaign leaves its sums (the lock of analytics/rollup.py).
CREATE OR REPLACE FUNCTION remove_with_campaigns() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM dispatches USING gone WHERE dispatches.campaign_id = gone.id;
    DELETE FROM message_events USING gone WHERE message_events.campaign_id = gone.id;
    PERFORM pg_advisory_xact_lock(1869968498, (user_id % 2147483647)::integer)
       FROM (SELECT DISTINCT user_id FROM gone ORDER BY user_id) AS account;
    UPDATE account_quarters AS known
       SET sent = known.sent - part.sent,
           opened = known.opened - part.opened,
           replied = known.replied - part.replied,
           bounced = known.bounced - part.bounced,
           unsubscribed = known.unsubscribed - part.unsubscribed,
           opens = known.opens - part.opens,
           clicks = known.clicks - part.clicks,
           replies = known.replies - part.replies,
           bounces = known.bounces - part.bounces,
           unsubscribes = known.unsubscribes - part.unsubscribes
      FROM (SELECT gone.user_id, q.at,
                   sum(q.sent) AS sent,
                   sum(q.opened) AS opened,
                   sum(q.replied) AS replied,
                   sum(q.bounced) AS bounced,
                   sum(q.unsubscribed) AS unsubscribed,
                   sum(q.opens) AS opens,
                   sum(q.clicks) AS clicks,
                   sum(q.replies) AS replies,
                   sum(q.bounces) AS bounces,
                   sum(q.unsubscribes) AS unsubscribes
              FROM gone
              JOIN mail_quarters AS q ON q.campaign_id = gone.id
             GROUP BY gone.user_id, q.at) AS part
     WHERE known.user_id = part.user_id
       AND known.at = part.at;
    DELETE FROM counted_mails USING gone WHERE counted_mails.campaign_id = gone.id;
    DELETE FROM mail_quarters USING gone WHERE mail_quarters.campaign_id = gone.id;
    DELETE FROM mail_totals USING gone WHERE mail_totals.campaign_id = gone.id;
    DELETE FROM mail_days USING gone WHERE mail_days.campaign_id = gone.id;
    RETURN NULL;
END $$;

-- The mails of leads that somebody looks after, without a look at the rows themselves.
DROP INDEX counted_mails_lead_id;
CREATE INDEX counted_mails_lead_id ON counted_mails (lead_id)
    INCLUDE (campaign_id, sent_at, opened_at, replied_at, bounced_at, is_open_tracked, chain_id);
CREATE INDEX campaign_leads_assigned ON campaign_leads (user_id, campaign_id, lead_id)
    INCLUDE (id, team_member_id, category_id) WHERE team_member_id IS NOT NULL;
