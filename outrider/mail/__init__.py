"""Mail as the RFCs know it: addresses, composing, submitting, reading. Pure of the product and of the database.

Writing: `address`, `message_id`, `headers`, `encoding`, `compose`.
Submitting: `server`, `network`, `tls`, `sasl`, `codes`, `smtp`.
Reading: `imap`, `parse` (with `decoding`, `body`, `text`), `dsn` (with `notice`), `autoreply` (with `return_date`),
`quote`, `subject`.
Rules that are data (what a refusal means, which domains are free-mail providers) lie in `rules/*.toml`.
"""
