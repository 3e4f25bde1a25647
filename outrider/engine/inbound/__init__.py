"""What comes in: read from every leased mailbox, matched to a lead, and what it changes (design 5).

`readers` keeps one IMAP session per mailbox, `matching` finds the lead, `intake` decides what a mail is and does it: in
one transaction, once.
"""

from outrider.engine.inbound.readers import Inbound

__all__ = ["Inbound"]
