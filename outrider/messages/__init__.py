"""Every mail sent and received, its thread and what became of it.

Owns messages, message_bodies, message_sources, attachments, auto_replies, reply_verdicts, dispatches (the ledger of
mails on their way), handwritten_mails (that of mails written by hand) and message_events. A campaign mail is QUEUED
once it is written, then SENT, BOUNCED (refused), UNKNOWN (handed over, no answer: never sent again by itself) or
FAILED; what people do with it later is added, never overwritten.
"""
