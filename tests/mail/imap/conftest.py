"""Servers for the tests of IMAP."""

from tests.support.dovecot import dovecot

__all__ = ["dovecot"]
