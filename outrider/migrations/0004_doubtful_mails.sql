-- Mails in doubt are few and looked for whenever a mailbox is opened, among all that it ever sent.
CREATE INDEX messages_doubtful ON messages (mailbox_id) WHERE status = 'UNKNOWN';
