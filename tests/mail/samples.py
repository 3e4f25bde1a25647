"""The mails written for the tests, and what each of them is (`corpus/…/expected.toml`).

The held-out part was written before the rules were made for it, in one go with the rest, and drawn by lot. Rules are
made by looking at the other part only, so its figures say how mail is read that nobody has seen.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outrider.mail.parse import Incoming, parse

CORPUS = Path(__file__).parent / "corpus"


@dataclass(frozen=True, slots=True)
class Sample:
    name: str
    raw: bytes
    expected: dict[str, Any]
    is_held_out: bool

    @property
    def language(self) -> str:
        return str(self.expected["language"])

    def parse(self) -> Incoming:
        return parse(self.raw)


def load(corpus: str) -> list[Sample]:
    """All samples of `bounces` or `autoreplies`."""
    return [
        Sample(name, (folder / f"{name}.eml").read_bytes(), expected, is_held_out)
        for folder, is_held_out in ((CORPUS / corpus, False), (CORPUS / "held_out" / corpus, True))
        for name, expected in tomllib.loads((folder / "expected.toml").read_text(encoding="utf-8")).items()
    ]


def raw_mails() -> list[bytes]:
    """The bytes of everything there is, for tests that break them."""
    return [path.read_bytes() for path in sorted(CORPUS.rglob("*.eml"))]
