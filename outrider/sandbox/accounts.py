"""The sender's mailboxes: who may log in to SMTP and IMAP, and who tried in vain."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Account:
    """One mailbox; with `copies_to_sent` the server files what is submitted, as some providers do."""

    address: str
    password: str
    copies_to_sent: bool = False


@dataclass(slots=True)
class Accounts:
    """All mailboxes, by address in lower case."""

    rejected_logins: Counter[str] = field(default_factory=Counter)
    _by_address: dict[str, Account] = field(default_factory=dict)

    def add(self, account: Account) -> None:
        self._by_address[account.address.lower()] = account

    def find(self, address: str) -> Account | None:
        return self._by_address.get(address.lower())

    def checks(self, username: str, password: str) -> bool:
        """Whether this log-in is good; one that is not is counted."""
        account = self.find(username)
        is_good = account is not None and account.password == password
        if not is_good:
            self.rejected_logins[username.lower()] += 1
        return is_good
