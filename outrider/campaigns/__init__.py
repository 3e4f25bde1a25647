"""Campaigns: a sequence of steps, sent to leads from a set of mailboxes inside a schedule.

DRAFTED → (START) ACTIVE ⇄ PAUSED; ACTIVE → COMPLETED by the engine; any → STOPPED for good; any → ARCHIVED (hidden).
Tables: campaigns, campaign_tags, campaign_mailboxes, campaign_days, steps, variants, variant_counts,
variant_tests, variant_decisions, subsequences, subsequence_triggers.
"""
