"""The rules by which machines are recognised, read from `machines.toml` and what the operator adds to it."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cache, lru_cache
from importlib.resources import files
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any, Self


class NetworkKind(StrEnum):
    GATEWAY = "gateway"
    PREFETCH = "prefetch"
    HOSTING = "hosting"


@dataclass(frozen=True, slots=True)
class Network:
    name: str
    kind: NetworkKind
    ranges: tuple[IPv4Network | IPv6Network, ...]


class RulesError(Exception):
    """What is wrong with a file of rules."""


@dataclass(frozen=True)
class Rules:
    """`displays`, `prefetches` and `scanners` are looked for in user agents, without case."""

    too_early: timedelta
    burst_time: timedelta
    burst_links: int
    click_alone: timedelta
    displays: re.Pattern[str]
    prefetches: re.Pattern[str]
    scanners: re.Pattern[str]
    networks: tuple[Network, ...]

    @classmethod
    def read(cls, *sources: str) -> Self:
        """From TOML texts, the later ones on top of the earlier; raises RulesError."""
        try:
            given = [tomllib.loads(source) for source in sources]
            thresholds: dict[str, Any] = {}
            for each in given:
                thresholds |= each.get("thresholds", {})
            return cls(
                too_early=timedelta(seconds=thresholds["too_early"]),
                burst_time=timedelta(seconds=thresholds["burst_seconds"]),
                burst_links=int(thresholds["burst_links"]),
                click_alone=timedelta(seconds=thresholds["click_alone"]),
                displays=_any_of(given, "displays"),
                prefetches=_any_of(given, "prefetches"),
                scanners=_any_of(given, "scanners"),
                networks=tuple(_network(row) for each in given for row in each.get("networks", ())),
            )
        except (tomllib.TOMLDecodeError, re.error, TypeError, ValueError, KeyError) as error:
            raise RulesError(f"{type(error).__name__}: {error}") from error

    def network_of(self, address: str | None) -> NetworkKind | None:
        """Whose network this address is in, if it is a known one."""
        return _find(self, address) if address else None


@lru_cache(maxsize=10_000)
def _find(rules: Rules, address: str) -> NetworkKind | None:
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    inner: IPv4Address | IPv6Address = getattr(parsed, "ipv4_mapped", None) or parsed
    return next((each.kind for each in rules.networks if any(inner in network for network in each.ranges)), None)


def _any_of(given: list[dict[str, Any]], name: str) -> re.Pattern[str]:
    patterns = [pattern for each in given for pattern in each.get("agents", {}).get(name, ())]
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


def _network(row: Mapping[str, Any]) -> Network:
    return Network(row["name"], NetworkKind(row["kind"]), tuple(ip_network(each) for each in row["ranges"]))


@cache
def load_rules(added: Path | None = None) -> Rules:
    """The shipped rules and the operator's, read once; raises RulesError."""
    shipped = (files(__package__) / "machines.toml").read_text("utf-8")
    try:
        return Rules.read(shipped, *([added.read_text("utf-8")] if added else []))
    except (OSError, UnicodeDecodeError, RulesError) as error:
        raise RulesError(f"The tracking rules in {added or 'machines.toml'} cannot be used. {error}") from error
