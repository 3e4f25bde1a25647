-- When is it worth looking at a campaign again? Its held leads, and new leads that are to begin later, are few.

CREATE INDEX campaign_leads_held ON campaign_leads (campaign_id, hold_until) WHERE hold_until IS NOT NULL;
CREATE INDEX campaign_leads_later ON campaign_leads (campaign_id, due_at) WHERE status = 'STARTED' AND due_at IS NOT NULL;
