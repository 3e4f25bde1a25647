-- Follow-ups and new leads share a day: what a mailbox has sent of either, and its due follow-ups campaign by campaign.

ALTER TABLE mailbox_days
    ADD COLUMN follow_up_count integer NOT NULL DEFAULT 0;              -- of campaign_count

DROP INDEX campaign_leads_follow_up;
CREATE INDEX campaign_leads_follow_up ON campaign_leads (mailbox_id, campaign_id, due_at) WHERE status = 'INPROGRESS';
