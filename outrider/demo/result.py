"""The figures at the end: what the server says beside what the sandbox counted by itself."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from outrider.sandbox import Tally


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one campaign: mails sent; people who opened, clicked, answered, bounced, unsubscribed."""

    sent: int
    opened: int
    clicked: int
    replied: int
    bounced: int
    unsubscribed: int

    @classmethod
    def of_server(cls, analytics: Mapping[str, Any]) -> "Figures":
        return cls(
            sent=int(analytics["sent_count"]),
            opened=int(analytics["unique_open_count"]),
            clicked=int(analytics["unique_click_count"]),
            replied=int(analytics["reply_count"]),
            bounced=int(analytics["bounce_count"]),
            unsubscribed=int(analytics["unsubscribed_count"]),
        )

    @classmethod
    def of_sandbox(cls, tally: Tally) -> "Figures":
        """A recipient refused at once counts as sent and bounced, as it does in the product."""
        return cls(
            sent=tally.mails.accepted + tally.mails.bounced_at_rcpt,
            opened=tally.persons.opened,
            clicked=tally.persons.clicked,
            replied=tally.persons.replied,
            bounced=tally.persons.bounced,
            unsubscribed=tally.persons.unsubscribed,
        )


@dataclass(frozen=True, slots=True)
class Result:
    """How the demo ended."""

    status: str
    leads: int
    server: Figures
    sandbox: Figures
    duplicates: int
    webhook_events: int
    webhooks_delivered: int
    unexplained: int
    seconds: float

    @property
    def is_good(self) -> bool:
        """Nobody got a step twice, and every lead that was not mailed to the end has a reason."""
        return self.duplicates == 0 and self.unexplained == 0

    @property
    def is_agreed(self) -> bool:
        """Whether the server's figures are those of the sandbox, and every webhook arrived."""
        return self.server == self.sandbox and self.webhook_events == self.webhooks_delivered

    def as_dict(self) -> dict[str, Any]:
        return {
            "status": self.status,
            "leads": self.leads,
            "sent": self.server.sent,
            "delivered": self.server.sent - self.server.bounced,
            "opened": self.server.opened,
            "clicked": self.server.clicked,
            "replied": self.server.replied,
            "bounced": self.server.bounced,
            "unsubscribed": self.server.unsubscribed,
            "duplicates": self.duplicates,
            "unexplained": self.unexplained,
            "webhooks": {"events": self.webhook_events, "delivered": self.webhooks_delivered},
            "sandbox": asdict(self.sandbox),
            "agreed": self.is_agreed,
            "seconds": round(self.seconds, 1),
        }
