"""Mailboxes: the e-mail accounts that mail goes out from and answers come in to (`email_account` on the wire).

A mailbox works, is suspended by hand, or has failed (its log-in was refused); a deleted one keeps its history.
Tables: mailboxes, mailbox_states, mailbox_days, mailbox_folders, mailbox_warmups, mailbox_reconnects, tags,
mailbox_tags; engines and mailbox_leases, which say what process works for it.
"""
