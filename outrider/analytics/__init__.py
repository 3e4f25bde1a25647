"""Figures of accounts and campaigns, counted from mails and their events and from nothing else.

A mail counts from the moment the server took it, or refused its recipient for good (decision 29); mails of a sequence
that was emptied count nowhere (contract: campaigns, Save Campaign Sequence).

Tables: mail_changes, counted_mails, mail_quarters, mail_days, mail_totals, account_quarters.
"""
