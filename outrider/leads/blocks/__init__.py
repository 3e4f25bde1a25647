"""The block list: addresses and domains that nobody in the account, or in a client's campaigns, may mail.

Owns block_list and hard_bounces, the installation's own history of addresses that do not exist.
"""
