"""What every slice stands on: database, jobs, clock, errors, events, secrets, logs, HTTP.

Knows nothing of the product. Owns instance, idempotent_replies and schema_migrations (and those of procrastinate).
"""
