"""What every slice stands on: database, jobs, clock, errors, events, secrets, logs, HTTP.

Knows nothing of the product.
"""
