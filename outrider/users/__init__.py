"""An account is one workspace: its people, their log-ins, and the API keys that act for it.

States: a person without a password cannot log in until a one-time link has set one; a key is usable until it is
revoked. Tables: accounts, people, one_time_links, sessions, api_keys, rate_limits, failed_authentications.
"""
