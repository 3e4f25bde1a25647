"""Importing leads from a table (CSV): ours, beyond the reference.

An import is QUEUED, then PROCESSING chunk by chunk, then COMPLETED; FAILED if its file cannot be read any more.
Owns lead_imports.
"""
