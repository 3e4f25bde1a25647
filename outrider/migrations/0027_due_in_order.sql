-- Follow-ups are read in the order in which they go, without sorting: oldest due first, then the higher step.
DROP INDEX campaign_leads_follow_up;
CREATE INDEX campaign_leads_follow_up ON campaign_leads (mailbox_id, campaign_id, due_at, last_step_number DESC, id)
    WHERE status = 'INPROGRESS';
