"""Lists of leads: people kept for later, and those who were taken out of their campaigns (archived).

A lead may be in any number of lists and campaigns; one that is in none is forgotten.
"""
