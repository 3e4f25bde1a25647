"""Mail as the RFCs know it: addresses, composing, submitting, reading. Pure of the product and of the database.

Writing: `address`, `message_id`, `headers`, `encoding`, `compose`.
Submitting: `server`, `tls`, `sasl`, `codes`, `smtp`.
Rules that are data (what a refusal means, which domains are free-mail providers) lie in `rules/*.toml`.
"""
