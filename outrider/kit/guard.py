"""Requests to addresses that users name: webhooks, attachments and the like never reach what is ours alone.

The host name is resolved and checked here, and the connection is made to the address that was checked, so that a name
which changes its mind in between (DNS rebinding) gains nothing. Metadata and link-local addresses are refused always,
other private ones unless ALLOW_PRIVATE_NETWORKS is set (decision 53). Proxies of the environment are not used: they
would resolve by themselves.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import httpcore
import httpx

from outrider.config import Settings, variable

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Host and port to IP addresses; raises OSError."""

_MOST_ADDRESSES = 4
_KEEP_ALIVE_SECONDS = 2.0  # shorter than what servers keep: a request on a connection being closed would be lost
_KEPT_ALIVE = 100
_METADATA = tuple(
    map(
        ip_network,
        (
            "169.254.0.0/16",  # RFC 3927 link-local, where most clouds answer with their secrets
            "fe80::/10",
            "fd00:ec2::254/128",  # AWS
            "100.100.100.200/32",  # Alibaba
            "168.63.129.16/32",  # Azure
            "192.0.0.192/32",  # Oracle
        ),
    )
)
_NAT64 = ip_network("64:ff9b::/96")  # RFC 6052
_IPV4_MASK = 0xFFFF_FFFF


class ForbiddenTarget(httpx.TransportError):
    """The address may not be reached from here; the text says why, and by which setting it may."""


def check_address(address: str, *, host: str, allow_private: bool) -> None:
    """Raise ForbiddenTarget unless a connection to this IP address, to which `host` leads, is allowed."""
    inner = _embedded(ip_address(address.partition("%")[0]))
    shown = host if host == address else f"{host} ({address})"
    if _is_metadata(inner):
        raise ForbiddenTarget(f"{shown} is a link-local or metadata address, which is never reached")
    if allow_private:
        return
    is_public = inner.is_global and not (inner.is_multicast or inner.is_reserved or _is_site_local(inner))
    if not is_public:
        raise ForbiddenTarget(
            f"{shown} is a private address; set {variable('allow_private_networks')}=true to allow such targets"
        )


def is_metadata(address: str) -> bool:
    """Whether this IP address is link-local, or where clouds answer with their secrets."""
    return _is_metadata(_embedded(ip_address(address.partition("%")[0])))


def _is_metadata(inner: IPv4Address | IPv6Address) -> bool:
    return any(inner in network for network in _METADATA if network.version == inner.version)


def _embedded(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 address stands for, if it does."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & _IPV4_MASK)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else address)


def _is_site_local(address: IPv4Address | IPv6Address) -> bool:
    """`fec0::/10`, deprecated by RFC 3879 and still routed inside of some networks."""
    return isinstance(address, IPv6Address) and address.is_site_local


async def system_resolve(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class _GuardedBackend(httpcore.AnyIOBackend):
    """Connects to checked addresses only."""

    def __init__(self, *, allow_private: bool, resolve: Resolve) -> None:
        self._allow_private = allow_private
        self._resolve = resolve

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is inherited
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                return await self._connect_to_any(
                    await self._allowed(host, port), port, local_address=local_address, socket_options=socket_options
                )
        except TimeoutError as error:
            raise httpcore.ConnectTimeout from error

    async def _allowed(self, host: str, port: int) -> list[str]:
        try:
            addresses = (await self._resolve(host, port))[:_MOST_ADDRESSES]
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"The host {host} is not known") from error
        refusal: ForbiddenTarget | None = None
        allowed = []
        for address in addresses:
            try:
                check_address(address, host=host, allow_private=self._allow_private)
                allowed.append(address)
            except ForbiddenTarget as error:
                refusal = refusal or error
        if refusal is not None and not allowed:
            raise refusal
        return allowed

    async def _connect_to_any(
        self,
        addresses: list[str],
        port: int,
        *,
        local_address: str | None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None,
    ) -> httpcore.AsyncNetworkStream:
        failure = httpcore.ConnectError("The host has no address")
        for address in addresses:
            try:
                return await super().connect_tcp(
                    address, port, local_address=local_address, socket_options=socket_options
                )
            except httpcore.ConnectError as error:
                failure = error
        raise failure


class GuardedTransport(httpx.AsyncHTTPTransport):
    """httpx's transport on the guarded backend; without cookies, proxies and HTTP/2."""

    def __init__(self, settings: Settings, *, verify: bool, resolve: Resolve) -> None:
        super().__init__(verify=_tls(verify=verify), trust_env=False)
        # httpx hands over no backend; the pool it makes is empty as yet and needs no closing
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=_tls(verify=verify),
            max_connections=None,
            max_keepalive_connections=_KEPT_ALIVE,
            keepalive_expiry=_KEEP_ALIVE_SECONDS,
            network_backend=_GuardedBackend(allow_private=settings.allow_private_networks, resolve=resolve),
        )


@cache
def _tls(*, verify: bool) -> ssl.SSLContext:
    """Made once: a context costs 30 to 50 ms."""
    return httpx.create_ssl_context(verify=verify)


def guarded_client(settings: Settings, *, verify: bool = True, resolve: Resolve = system_resolve) -> httpx.AsyncClient:
    """The HTTP client of a process for addresses from users; close it at the end. Redirects are not followed."""
    return httpx.AsyncClient(
        transport=GuardedTransport(settings, verify=verify, resolve=resolve),
        trust_env=False,
        follow_redirects=False,
        cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
    )
