"""Questions to the DNS: a domain's mail hosts, what a name stands for.

One `Resolver` for a process, passed in where it is needed.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.resolver

_SECONDS = 5.0  # for one question, all servers together
_PORT = 53


class DnsUnavailable(OSError):
    """No server answered, or none could: nothing is known, which is not the same as that there is nothing."""


class Resolver:
    """Asks these servers (`192.0.2.1`, `192.0.2.1:5353`, `[2001:db8::1]:53`), or those of the system."""

    def __init__(self, servers: Sequence[str] = ()) -> None:
        self._servers = tuple(servers)
        self._resolver: dns.asyncresolver.Resolver | None = None

    async def mail_hosts(self, domain: str) -> list[str]:
        """Return the hosts of its MX records, preferred ones first; raises DnsUnavailable.

        Empty: the domain has none, does not exist, or says that it takes no mail (RFC 7505).
        """
        records = await self._ask(domain, "MX")
        found = sorted((record.preference, record.exchange.to_text(omit_final_dot=True)) for record in records)
        return [host.lower() for _, host in found if host not in {"", ".", "@"}]

    async def alias(self, name: str) -> str | None:
        """Return the host that its CNAME record names, if it has one; raises DnsUnavailable."""
        records = await self._ask(name, "CNAME")
        return records[0].target.to_text(omit_final_dot=True).lower() if records else None

    async def _ask(self, name: str, kind: str) -> Sequence[Any]:
        try:
            self._resolver = self._resolver or self._make()
            return list(await self._resolver.resolve(name, kind, lifetime=_SECONDS, search=False))
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer, dns.resolver.YXDOMAIN):
            return []
        except (dns.exception.SyntaxError, UnicodeError):  # no name that could exist: a label is empty or too long
            return []
        except (dns.exception.DNSException, OSError) as error:
            raise DnsUnavailable(f"{name}: {error}") from error

    def _make(self) -> dns.asyncresolver.Resolver:
        resolver = dns.asyncresolver.Resolver(configure=not self._servers)
        if self._servers:
            resolver.nameservers = [_server(text) for text in self._servers]
        return resolver


def _server(text: str) -> dns.nameserver.Do53Nameserver:
    is_plain = text.count(":") > 1 and not text.startswith("[")
    parts = urlsplit(f"//[{text}]" if is_plain else f"//{text}")
    return dns.nameserver.Do53Nameserver(parts.hostname or "", parts.port or _PORT)
