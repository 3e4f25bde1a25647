"""Outrider: a self-hosted cold-outreach platform with a Smartlead-compatible HTTP API."""

__version__ = "0.1.0"
