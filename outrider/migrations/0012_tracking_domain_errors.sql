-- Why the tracking domain of a mailbox is not used.

ALTER TABLE mailboxes ADD COLUMN tracking_domain_error text;
