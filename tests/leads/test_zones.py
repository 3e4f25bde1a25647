"""Where a lead is: its own field first, then its location where that leaves no doubt."""

import pytest

from outrider.leads.zones import zone_of


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"timezone": "Asia/Kolkata"}, "Asia/Kolkata"),
        ({"timezone": " asia/kolkata "}, "Asia/Kolkata"),
        ({"Time Zone": "America/New York"}, "America/New_York"),
        ({"time_zone": "Etc/GMT+5"}, "Etc/GMT+5"),
        ({"timezone": "Europe/Lisbon", "Time-Zone": "Asia/Tokyo"}, "Europe/Lisbon"),  # exactly before nearly
        ({"timezone": "nonsense"}, None),
        ({"timezone": 7}, None),
        ({"zone": "Europe/Lisbon"}, None),
        ({}, None),
    ],
)
def test_the_leads_own_field_counts(fields: dict[str, object], expected: str | None) -> None:
    found = zone_of(fields, None)
    assert (found.key if found else None) == expected


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("Lisbon, Portugal", "Europe/Lisbon"),
        ("Porto, Portugal", "Europe/Lisbon"),
        ("Portugal", None),  # the Azores are an hour behind
        ("Germany", "Europe/Berlin"),  # two zones, one clock
        ("Munich, Bavaria, Germany", "Europe/Berlin"),
        ("Deutschland", "Europe/Berlin"),
        ("Berlin", "Europe/Berlin"),
        ("London", "Europe/London"),
        ("London, Ontario, Canada", None),
        ("Mumbai, India", "Asia/Kolkata"),
        ("Vienna, AT", "Europe/Vienna"),
        ("Munich, DE", None),  # or Delaware
        ("Berlin, DE", "Europe/Berlin"),
        ("São Paulo, Brazil", "America/Sao_Paulo"),
        ("Manaus, Brazil", "America/Manaus"),
        ("Brazil", None),
        ("Sydney, New South Wales, Australia", "Australia/Sydney"),
        ("Australia", None),
        ("United States", None),
        ("California, United States", "America/Los_Angeles"),
        ("Texas, USA", None),  # El Paso is an hour behind
        ("Austin, Texas, USA", "America/Chicago"),
        ("New York, NY", "America/New_York"),
        ("Boston, MA", "America/New_York"),
        ("Casablanca, MA", "Africa/Casablanca"),
        ("San Francisco Bay Area, United States", "America/Los_Angeles"),
        ("Georgia", None),  # the country or the state
        ("Atlanta, Georgia, United States", "America/New_York"),
        ("Birmingham", None),
        ("remote", None),
        (", ,", None),
        ("", None),
    ],
)
def test_a_location_counts_where_it_leaves_no_doubt(location: str, expected: str | None) -> None:
    found = zone_of({}, location)
    assert (found.key if found else None) == expected


def test_the_field_beats_the_location_and_nonsense_does_not() -> None:
    assert str(zone_of({"timezone": "Asia/Tokyo"}, "Berlin")) == "Asia/Tokyo"
    assert str(zone_of({"timezone": "nonsense"}, "Berlin")) == "Europe/Berlin"
