"""Webhooks: targets of the outside that are told what happens, and what became of each telling.

A delivery is SCHEDULED → SUCCESSFUL or, after the last attempt, FAILED; a retrigger schedules failed ones anew. Events
and deliveries are rows of the transaction in which something happened (outbox); `delivery` sends them after the commit.
Tables: webhooks, webhook_events, webhook_deliveries, webhook_attempts, webhook_retriggers.
"""
