"""A small DNS server on loopback that knows what a test tells it, and can be broken or silent for single names."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import dns.rrset


@dataclass
class DnsServer:
    """`mail["acme.example"] = ["10 mx.acme.example."]`, `aliases["go.acme.example"] = "t.example."`.

    `asked` are the names of all questions.
    """

    address: str = ""
    mail: dict[str, list[str]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    def answer(self, packet: bytes) -> bytes | None:
        query = dns.message.from_wire(packet)
        name = query.question[0].name
        text = name.to_text(omit_final_dot=True).lower()
        self.asked.append(text)
        if text in self.silent:
            return None
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA
        if text in self.broken:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif text in self.aliases:
            response.answer.append(dns.rrset.from_text(name, 300, "IN", "CNAME", self.aliases[text]))
        elif text not in self.mail:
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif records := self.mail[text]:
            response.answer.append(dns.rrset.from_text(name, 300, "IN", "MX", *records))
        return response.to_wire()


class _Protocol(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if answer := self._server.answer(data):
            self._transport.sendto(answer, addr)


@asynccontextmanager
async def dns_server() -> AsyncIterator[DnsServer]:
    server = DnsServer()
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Protocol(server), local_addr=("127.0.0.1", 0)
    )
    server.address = "{}:{}".format(*transport.get_extra_info("sockname"))
    try:
        yield server
    finally:
        transport.close()
