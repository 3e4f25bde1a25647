-- Which provider receives a lead's mail, so that leads and mailboxes of one provider are paired.

ALTER TABLE campaigns
    ADD COLUMN esp_matching_strict boolean NOT NULL DEFAULT false;      -- wait for a mailbox of the lead's provider

-- What the DNS said, whoever asked.
CREATE TABLE domain_providers (
    domain       text PRIMARY KEY,
    provider     text NOT NULL CHECK (provider IN ('GOOGLE', 'MICROSOFT', 'ZOHO', 'YAHOO', 'GATEWAY', 'OTHER')),
    looked_up_at timestamptz NOT NULL
);

-- How far the leads of a campaign have been looked up. When it is `next_at`, all that wait are looked at again.
CREATE TABLE provider_look_ups (
    campaign_id bigint PRIMARY KEY REFERENCES campaigns ON DELETE CASCADE,
    done_to     bigint NOT NULL,                                        -- campaign_leads.id
    next_at     timestamptz NOT NULL
);

-- Only where leads and mailboxes are paired, only for leads that wait for their first mail: others are not in the index.
ALTER TABLE campaign_leads
    ADD COLUMN provider text CHECK (provider IN ('GOOGLE', 'MICROSOFT', 'ZOHO', 'YAHOO', 'GATEWAY', 'OTHER'));
CREATE INDEX campaign_leads_provider ON campaign_leads (campaign_id, provider, id)
    WHERE status = 'STARTED' AND provider IS NOT NULL;
