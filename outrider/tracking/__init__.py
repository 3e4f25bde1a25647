"""What people do with a mail: opens, clicks and unsubscribes, told apart from machines.

Owns tracking_hits. `tokens` signs the links of a mail; `api` serves them at /o/, /c/ and /u/.
"""
