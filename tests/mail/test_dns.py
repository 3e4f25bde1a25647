"""Mail hosts of domains, asked of a real server on this machine."""

from collections.abc import AsyncIterator

import pytest

from outrider.mail import dns
from outrider.mail.dns import DnsUnavailable, Resolver
from tests.support.dns_server import DnsServer, dns_server


@pytest.fixture
async def server() -> AsyncIterator[DnsServer]:
    async with dns_server() as server:
        yield server


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        (["20 b.example.", "10 A.example."], ["a.example", "b.example"]),
        (["10 b.example.", "10 a.example."], ["a.example", "b.example"]),
        (["0 ."], []),  # RFC 7505: it takes no mail
        ([], []),  # it exists and has no MX
    ],
)
async def test_the_preferred_host_comes_first(server: DnsServer, records: list[str], expected: list[str]) -> None:
    server.mail["acme.example"] = records
    assert await Resolver([server.address]).mail_hosts("acme.example") == expected


@pytest.mark.parametrize("domain", ["nowhere.example", "two..dots.example", f"{'x' * 64}.example", "[192.0.2.1]"])
async def test_what_does_not_exist_has_no_mail_hosts(server: DnsServer, domain: str) -> None:
    assert await Resolver([server.address]).mail_hosts(domain) == []


async def test_a_server_that_fails_or_is_silent_says_nothing_about_the_domain(
    server: DnsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dns, "_SECONDS", 0.2)
    server.broken.add("broken.example")
    server.silent.add("silent.example")
    for domain in ("broken.example", "silent.example"):
        with pytest.raises(DnsUnavailable, match=domain):
            await Resolver([server.address]).mail_hosts(domain)


@pytest.mark.parametrize("text", ["192.0.2.1", "192.0.2.1:53", "2001:db8::1", "[2001:db8::1]:53"])
def test_servers_are_named_with_or_without_a_port(text: str) -> None:
    named = dns._server(text)
    assert (named.address, named.port) == ("2001:db8::1" if "2001" in text else "192.0.2.1", 53)
