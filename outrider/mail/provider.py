"""Which provider receives or sends mail, by the names of its hosts. The names are data, in `rules/providers.toml`."""

import tomllib
from collections.abc import Iterable
from enum import StrEnum
from functools import cache
from importlib.resources import files


class Provider(StrEnum):
    """GATEWAY: a filter in front of a provider that nobody outside knows. OTHER: anybody else, or nobody."""

    GOOGLE = "GOOGLE"
    MICROSOFT = "MICROSOFT"
    ZOHO = "ZOHO"
    YAHOO = "YAHOO"
    GATEWAY = "GATEWAY"
    OTHER = "OTHER"

    @property
    def is_known(self) -> bool:
        """Whether two who have it have the same provider."""
        return self not in {Provider.GATEWAY, Provider.OTHER}


def provider_of(hosts: Iterable[str]) -> Provider:
    """Return the provider of the first of these hosts that has a known name."""
    return next((provider for host in hosts if (provider := _provider_of_host(host))), Provider.OTHER)


def _provider_of_host(host: str) -> Provider | None:
    labels = host.lower().removesuffix(".").split(".")
    names = _names()
    return next((found for start in range(len(labels)) if (found := names.get(".".join(labels[start:])))), None)


@cache
def _names() -> dict[str, Provider]:
    rules = tomllib.loads((files("outrider.mail") / "rules" / "providers.toml").read_text(encoding="utf-8"))
    return {host: Provider(provider) for provider, entry in rules.items() for host in entry["hosts"]}
