"""What the demo is made of: three mailboxes, a three-step sequence with variants, leads in a CSV file."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

PHRASES = ("a question about", "coming back to my note", "close the file on")
"""One for each step, in every variant and spintax choice of it: by these the sandbox tells the steps apart."""

_FIRST_NAMES = "Ada Bruno Carla Dmitri Elif Farid Greta Hugo Ines Jonas Kim Lena Mira Nils Olga Paul Rosa Sven Tara Uwe"
_LAST_NAMES = "Quill Voss Holm Brandt Orr Lindqvist Moreau Sato Keller Rossi Novak Silva Haas Berg Dunne Ito Klein"
_COMPANIES = "Tallow Harbour Quay Hexly Tarn Bright Loom Cedar Pilot North Anchor Fjord Copper Lumen Orchard Delta"
_KINDS = "Works Labs Freight Studio Systems Foods Energy Partners"
_ROLES = ("CFO", "Head of Operations", "Founder", "CTO", "Sales Director")


@dataclass(frozen=True, slots=True)
class Account:
    """A mailbox of the sender."""

    name: str
    address: str
    password: str


ACCOUNTS = (
    Account("Rita Mendes", "rita@quaydesk.example", "sand-castle-1"),
    Account("Jo Winter", "jo@quaydesk.example", "sand-castle-2"),
    Account("Nora Quist", "nora@brightfold.example", "sand-castle-3"),
)


def steps() -> list[dict[str, Any]]:
    """The sequence as the API takes it: variants, spintax, Liquid with a fallback, a reply in the thread."""
    return [
        {
            "seq_number": 1,
            "seq_delay_details": {"delay_in_days": 0},
            "variant_distribution_type": "MANUAL_PERCENTAGE",
            "seq_variants": [
                {
                    "variant_label": "A",
                    "variant_distribution_percentage": 70,
                    "subject": "Port fees, {{first_name}}?",
                    "email_body": (
                        '<div>{Hello|Hi} {{first_name | default: "there"}},</div>'
                        "<div>a question about {{company_name}}: how do you handle port fees today?</div>"
                        '<div>{% if role == "CFO" %}The numbers are on one page{% else %}The short version is here'
                        '{% endif %}: <a href="https://quaydesk.example/fees?ref={{first_name}}">port fees</a></div>'
                        "<div>%signature%</div>"
                    ),
                },
                {
                    "variant_label": "B",
                    "variant_distribution_percentage": 30,
                    "subject": "{{company_name}} and quay costs",
                    "email_body": (
                        '<div>{{first_name | default: "Hello"}},</div>'
                        "<div>{a quick word and|} a question about quay costs at {{company_name}}.</div>"
                        '<div><a href="https://quaydesk.example/costs">Two minutes to read</a></div>'
                        "<div>%signature%</div>"
                    ),
                },
            ],
        },
        {
            "seq_number": 2,
            "seq_delay_details": {"delay_in_days": 2},
            "subject": "",
            "email_body": (
                "<div>{Hello again|Good {{sl_time_of_day}}} {{first_name}},</div>"
                "<div>I am coming back to my note from the other day. Worth a look?</div>"
                '<div><a href="https://quaydesk.example/case">How others did it</a></div><div>%signature%</div>'
            ),
        },
        {
            "seq_number": 3,
            "seq_delay_details": {"delay_in_days": 2},
            "subject": "Last word on port fees",
            "email_body": (
                "<div>{{first_name}}, I will close the file on this one unless you tell me otherwise.</div>"
                "<div>%signature%</div>"
            ),
        },
    ]


def signature(account: Account) -> str:
    return f"<p>{account.name}<br>Quaydesk</p>"


def leads_csv(count: int, *, seed: str) -> str:
    """A file as people have it: their own column names, a column that becomes a custom field."""
    random = Random(f"{seed}|leads")  # noqa: S311 - made-up people, not secrets
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["E-mail", "First Name", "Last Name", "Company", "Website", "Role"])
    writer.writerows(_lead(number, random) for number in range(1, count + 1))
    return text.getvalue()


def _lead(number: int, random: Random) -> Sequence[str]:
    first, last = random.choice(_FIRST_NAMES.split()), random.choice(_LAST_NAMES.split())
    company = f"{random.choice(_COMPANIES.split())} {random.choice(_KINDS.split())}"
    domain = f"{company.lower().replace(' ', '')}{number}.example"
    return f"{first}.{last}@{domain}".lower(), first, last, company, f"https://{domain}", random.choice(_ROLES)


@dataclass(frozen=True, slots=True)
class Tempo:
    """Limits with which a campaign of this size takes about a week."""

    mails_per_day: int
    gap_minutes: int

    @classmethod
    def of(cls, lead_count: int) -> "Tempo":
        per_day = max(20, -(-lead_count // 2))
        return cls(mails_per_day=per_day, gap_minutes=max(1, 540 // per_day - 1))
