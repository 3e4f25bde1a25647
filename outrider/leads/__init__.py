"""People who are written to, and their way through campaigns.

Owns leads, campaign_leads, categories, block_list, unsubscribes, hard_bounces and lead_imports. A lead in a campaign is
STARTED (nothing sent), INPROGRESS, COMPLETED (all steps sent), PAUSED, STOPPED (answered, unsubscribed) or BLOCKED.
"""
