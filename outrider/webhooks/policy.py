"""What the operator's settings say about recording events.

Handlers of events are given no settings, so the process holds them.
"""

from dataclasses import dataclass

from outrider.config import Settings, WebhookPriority


@dataclass(frozen=True, slots=True)
class Policy:
    public_url: str
    priority: WebhookPriority
    free_mail: frozenset[str]
    companies: tuple[frozenset[str], ...]
    """Groups of domains that belong to one company each."""

    @classmethod
    def of(cls, settings: Settings) -> "Policy":
        return cls(
            public_url=settings.public_url,
            priority=settings.webhook_level_priority,
            free_mail=frozenset(settings.free_mail_domains),
            companies=settings.company_domains,
        )


_process_policy = [Policy.of(Settings())]


def use_settings(settings: Settings) -> None:
    """Called once when a process starts."""
    _process_policy[:] = [Policy.of(settings)]


def policy() -> Policy:
    """The policy of this process."""
    return _process_policy[0]
