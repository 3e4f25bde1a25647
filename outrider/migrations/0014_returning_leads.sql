-- Whose absence is over? Asked every few seconds; few leads are away.

CREATE INDEX campaign_leads_returning ON campaign_leads (resume_at) WHERE resume_at IS NOT NULL;
