"""Made-up leads, the same in every run: as the API takes them, as a CSV file, and as rows for COPY."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

_FIRST = (
    "Ada Bruno Carla Dmitri Elif Farid Greta Hugo Ines Jonas Kim Lena Mira Nils Olga Paul Rosa Sven Tara Uwe".split()
)
_LAST = "Quill Voss Holm Brandt Orr Lindqvist Moreau Sato Keller Rossi Novak Silva Haas Berg Dunne Ito Klein".split()
_COMPANIES = "Tallow Harbour Quay Hexly Tarn Bright Loom Cedar Pilot North Anchor Fjord Copper Lumen Orchard".split()
_KINDS = "Works Labs Freight Studio Systems Foods Energy Partners".split()
_ROLES = ("CFO", "Head of Operations", "Founder", "CTO", "Sales Director")
_CITIES = ("Porto", "Gdansk", "Rotterdam", "Trieste", "Bergen", "Cork")


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of a lead: six standard fields, two custom ones."""

    email: str
    first_name: str
    last_name: str
    company_name: str
    website: str
    location: str
    role: str
    employees: int

    def as_api(self) -> dict[str, object]:
        return {
            "email": self.email,
            "first_name": self.first_name,
            "last_name": self.last_name,
            "company_name": self.company_name,
            "website": self.website,
            "location": self.location,
            "custom_fields": self.custom_fields(),
        }

    def custom_fields(self) -> dict[str, object]:
        return {"role": self.role, "employees": str(self.employees)}


def people(count: int, *, seed: str) -> Iterator[Person]:
    """Addresses in no order, as real lists are."""
    random = Random(seed)  # noqa: S311 - made-up people, not secrets
    for number in range(1, count + 1):
        first, last = random.choice(_FIRST), random.choice(_LAST)
        company = f"{random.choice(_COMPANIES)} {random.choice(_KINDS)}"
        domain = f"{company.lower().replace(' ', '')}{number % 997}.example"
        yield Person(
            email=f"{first}.{last}.{number}@{domain}".lower(),
            first_name=first,
            last_name=last,
            company_name=company,
            website=f"https://{domain}",
            location=random.choice(_CITIES),
            role=random.choice(_ROLES),
            employees=random.randrange(5, 5000),
        )


def csv_file(rows: Sequence[Person]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["Email", "First Name", "Last Name", "Company", "Website", "Location", "role", "employees"])
    for row in rows:
        writer.writerow(
            [
                row.email,
                row.first_name,
                row.last_name,
                row.company_name,
                row.website,
                row.location,
                row.role,
                row.employees,
            ]
        )
    return text.getvalue().encode()


def api_bodies(rows: Sequence[Person], *, size: int) -> list[bytes]:
    """Bodies of `POST /campaigns/{id}/leads`."""
    batches = (rows[start : start + size] for start in range(0, len(rows), size))
    return [json.dumps({"lead_list": [row.as_api() for row in batch]}).encode() for batch in batches]
