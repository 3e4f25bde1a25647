"""The time zone of a lead: its own field `timezone`, else its location where that leaves no doubt.

Product behaviour 1.10. Countries and cities come from the zone database (zone.tab, iso3166.tab), other names from
`places.toml`. A country whose regions have different clocks says nothing by itself.
"""

import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

_FIELD = "timezone"
_SEPARATORS = re.compile(r"[,;/|()]")
_CODE = 2  # letters


def zone_of(custom_fields: Mapping[str, Any], location: str | None) -> ZoneInfo | None:
    """Return the lead's zone, or None where nobody can tell."""
    return _zone_of(_field(custom_fields), location or "")


def _field(custom_fields: Mapping[str, Any]) -> str:
    """Looked up as variables are: exactly, else without case, spaces, dashes and underscores."""
    if _FIELD in custom_fields:
        return str(custom_fields[_FIELD])
    found = (value for name, value in custom_fields.items() if re.sub(r"[\s_-]", "", name).casefold() == _FIELD)
    return str(next(found, ""))


@lru_cache(maxsize=16_384)
def _zone_of(name: str, location: str) -> ZoneInfo | None:
    known = _named_zones().get(name.strip().casefold().replace(" ", "_"))
    found = known or _of_location(location)
    return ZoneInfo(found) if found else None


@cache
def _named_zones() -> dict[str, str]:
    return {name.casefold(): name for name in available_timezones()}


def _of_location(location: str) -> str | None:
    """The last part is the country or a state, if it is one; the others are a city or a state of it."""
    places = _places()
    *inner, last = [part for text in _SEPARATORS.split(location) if (part := _plain(text))] or [""]
    states = places.by_country["US"]
    if not inner and last in places.country_names and last in states:
        return None  # Georgia
    country = _country(inner, last)
    if country is None:
        return places.cities.get(last) if not inner else None
    inside = places.by_country.get(country, {})
    known = next((zone for part in inner if (zone := inside.get(part))), None)
    return known or (states.get(last) if country == "US" else None) or places.countries.get(country)


def _country(inner: Sequence[str], last: str) -> str | None:
    """Two letters may be a country or a state: "Boston, MA" is not in Morocco, "Munich, DE" not in Delaware."""
    places = _places()
    if last in places.country_names:
        return places.country_names[last]
    if not inner or len(last) != _CODE:
        return None
    states, is_country = places.by_country["US"], last.upper() in places.codes
    if last in states and (not is_country or inner[-1] in states):
        return "US"
    is_sure = last not in states or inner[-1] in places.by_country.get(last.upper(), {})
    return last.upper() if is_country and is_sure else None


def _plain(text: str) -> str:
    """Without case, accents and spaces around."""
    decomposed = unicodedata.normalize("NFKD", text.strip().casefold())
    return " ".join("".join(each for each in decomposed if not unicodedata.combining(each)).split())


@dataclass(frozen=True, slots=True)
class _Places:
    codes: frozenset[str]
    country_names: Mapping[str, str]  # name -> code
    countries: Mapping[str, str]  # code -> zone, where all its clocks are the same
    by_country: Mapping[str, Mapping[str, str]]  # code -> city or state -> zone
    cities: Mapping[str, str]  # those whose name stands in the zone database once


@cache
def _places() -> _Places:
    zones = _read("zone.tab", code=0, value=2)
    named = _read("iso3166.tab", code=0, value=1)
    ours = tomllib.loads((files("outrider.leads") / "places.toml").read_text(encoding="utf-8"))
    names = {_plain(name): code for code, [name, *_] in named.items()} | ours.pop("countries")
    by_country = {code: {_city(zone): zone for zone in of_country} for code, of_country in zones.items()}
    for code, regions in ours.items():
        by_country[code] |= {place: zone for zone, places in regions.items() for place in places}
    cities: dict[str, str] = {}
    for of_country in zones.values():
        for zone in of_country:
            cities[_city(zone)] = zone
    return _Places(
        codes=frozenset(named),
        country_names=names,
        countries={code: of[0] for code, of in zones.items() if len({_clock(zone) for zone in of}) == 1},
        by_country=by_country,
        cities={city: zone for city, zone in cities.items() if city not in names},
    )


def _read(name: str, *, code: int, value: int) -> dict[str, list[str]]:
    text = (files("tzdata") / "zoneinfo" / name).read_text(encoding="utf-8")
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            columns = line.split("\t")
            found.setdefault(columns[code], []).append(columns[value])
    return found


def _city(zone: str) -> str:
    return _plain(zone.rpartition("/")[2].replace("_", " "))


@cache
def _clock(zone: str) -> tuple[timedelta | None, ...]:
    """What it shows through two years: equal for zones that differ only in the past."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return tuple((start + timedelta(days=5 * day)).astimezone(ZoneInfo(zone)).utcoffset() for day in range(146))
