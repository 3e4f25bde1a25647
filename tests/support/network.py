"""Tests reach this machine only: a connection to anywhere else is an error of the test."""

import errno
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any

import pytest


class OutsideError(RuntimeError):
    """A test tried to reach another machine."""


@contextmanager
def cut_off() -> Iterator[None]:
    """The outside does not answer, as without a network cable: for calls that nobody has thought of before."""

    def unreachable(use: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(connection: socket.socket, *given: Any) -> Any:
            if connection.family in {socket.AF_INET, socket.AF_INET6} and not _is_here(given[-1][0]):
                raise OSError(errno.ENETUNREACH, "Network is unreachable")
            return use(connection, *given)

        return guarded

    def resolve(host: Any, *given: Any, **options: Any) -> Any:
        if host is not None and not _is_here(host.decode() if isinstance(host, bytes) else host):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return found(host, *given, **options)

    found = socket.getaddrinfo
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex", "sendto"):
            patch.setattr(socket.socket, name, unreachable(getattr(socket.socket, name)))
        patch.setattr(socket, "getaddrinfo", resolve)
        yield


@contextmanager
def loopback_only() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name)))
        yield


def _guarded(connect: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(connection: socket.socket, address: Any) -> Any:
        if connection.family in {socket.AF_INET, socket.AF_INET6} and not _is_here(address[0]):
            raise OutsideError(f"tests reach loopback only, not {address}")
        return connect(connection, address)

    return guarded


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host in {"localhost", ""}
