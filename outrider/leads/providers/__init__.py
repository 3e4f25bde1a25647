"""Which provider receives a lead's mail: asked of the DNS in the background, kept for seven days, never while sending.

The column `provider` of campaign_leads is filled only in campaigns that pair leads and mailboxes of one provider
(product behaviour 1.5).
"""
