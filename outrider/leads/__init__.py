"""People who are written to, and their way through campaigns.

Owns leads, campaign_leads, categories, block_list, unsubscribes, hard_bounces, lead_imports, lead_lists,
lead_list_members, lead_list_tags, lead_tags, domain_providers and provider_look_ups. A lead in a campaign is STARTED
(nothing sent), INPROGRESS, COMPLETED (all steps sent), PAUSED, STOPPED (answered, unsubscribed) or BLOCKED.
"""
