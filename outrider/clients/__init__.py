"""Clients: an agency's customers inside an account. Campaigns and mailboxes may belong to one.

Tables: clients.
"""
