"""How much mail of a campaign one company gets: so much in a minute, so much in an hour.

Product behaviour 1.9, decision 36. Free-mail and internet providers are exempt. Only domains that several leads of an
account have are looked at.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from outrider.config import Settings
from outrider.engine.facts import LeadFacts
from outrider.mail.address import is_free_mail

LONGEST = timedelta(hours=1)
_SHORTEST = timedelta(minutes=1)


@dataclass(frozen=True)
class RecipientLimits:
    """0: no limit."""

    per_minute: int = 0
    per_hour: int = 0
    free_mail: frozenset[str] = frozenset()
    _known: dict[str, bool] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, settings: Settings) -> "RecipientLimits":
        return cls(
            settings.recipient_domain_per_minute,
            settings.recipient_domain_per_hour,
            frozenset(settings.free_mail_domains),
        )

    def concern(self, lead: LeadFacts) -> bool:
        return lead.shares_domain and self.concern_domain(lead.domain)

    def concern_domain(self, domain: str) -> bool:
        """Whether there is a limit for a domain that several leads have."""
        if not (self.per_minute or self.per_hour):
            return False
        if domain not in self._known:
            self._known[domain] = not is_free_mail(domain, more=self.free_mail)
        return self._known[domain]

    def free_at(self, recent: Sequence[datetime]) -> datetime | None:
        """Return when the domain may get another mail; `recent` are those of the last hour, in order."""
        if not recent:
            return None
        spans = ((self.per_minute, _SHORTEST), (self.per_hour, LONGEST))
        return max((recent[-most] + span for most, span in spans if 0 < most <= len(recent)), default=None)


UNLIMITED = RecipientLimits()
