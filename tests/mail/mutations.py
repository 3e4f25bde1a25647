"""`python -m tests.mail.mutations`: broken mails, many of them, through everything that reads a mail.

Each is a sample with one to four things done to it: bytes flipped, headers cut or blown up, boundaries broken, charsets
and encodings wrong, parts in parts, two mails in one. A mail is made from its number alone, so that a failure can be
had again: `--first 12345 --count 1`.
"""

import argparse
import os
import random
import re
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime

from outrider.mail.autoreply import detect
from outrider.mail.dsn import Action, classify_bounce, read_dsns
from outrider.mail.feedback import read_feedback_report
from outrider.mail.opt_out import asks_for_no_more
from outrider.mail.parse import parse
from outrider.mail.quote import new_text
from outrider.mail.subject import subject_key
from tests.mail.samples import raw_mails

NOW = datetime(2026, 3, 5, 10, tzinfo=UTC)
_AT_ONCE = 500
_MOST_CHANGES = 4

_SAMPLES = raw_mails()
_CHARSETS = [
    "utf-7",
    "utf-16",
    "idna",
    "punycode",
    "hex",
    "rot13",
    "zlib",
    "cp1252",
    "gb2312",
    "x-none",
    "",
    "\xff",
    "'",
]
_ENCODINGS = ["base64", "quoted-printable", "uuencode", "x-uuencode", "8bit", "binary", "none", ""]
_TOKENS = [
    *(b"\r\n", b"\n\n", b"\r", b"\x00", b"--", b"=?utf-8?b?", b"=?x?q?=FF?=", b"\xf0\x9f", b"\xed\xa0\x80", b"<" * 90),
    *(b"Content-Type: multipart/report; report-type=delivery-status\n", b"Content-Type: message/delivery-status\n\n"),
    *(b"Content-Type: message/feedback-report\n\nFeedback-Type: abuse\n", b"Content-Type: message/rfc822\n\n"),
    *(
        b"Action: failed\n",
        b"Status: 5.1.1\n",
        b"Final-Recipient: rfc822; @\n",
        b"Date: Fri, 31 Dec 9999 23:59:59 -0000\n",
    ),
    *(
        b"From: \n",
        b"From: a@b, c@d, <>\n",
        b"References: " + b"<a@b> " * 200 + b"\n",
        b"Auto-Submitted: auto-replied\n",
    ),
    *(
        b"until 31 february 99.99.9999 bis KW 53 in 99 weeks 32/13",
        "bis zum 29.2. ausgeschieden 2月30日まで".encode(),
    ),
]

Change = Callable[[random.Random, bytes], bytes]


def flip_bytes(dice: random.Random, raw: bytes) -> bytes:
    changed = bytearray(raw)
    for _ in range(dice.randint(1, 40)):
        if changed:
            changed[dice.randrange(len(changed))] = dice.randrange(256)
    return bytes(changed)


def cut(dice: random.Random, raw: bytes) -> bytes:
    start, end = _slice(dice, raw)
    return raw[:start] + raw[end:]


def repeat(dice: random.Random, raw: bytes) -> bytes:
    start, end = _slice(dice, raw)
    return raw[:start] + raw[start:end] * dice.randint(2, 20) + raw[end:]


def truncate(dice: random.Random, raw: bytes) -> bytes:
    return raw[: dice.randint(0, len(raw))]


def put_in(dice: random.Random, raw: bytes) -> bytes:
    for _ in range(dice.randint(1, 4)):
        place = dice.randint(0, len(raw))
        raw = raw[:place] + dice.choice(_TOKENS) + raw[place:]
    return raw


def cut_headers(dice: random.Random, raw: bytes) -> bytes:
    head, blank, body = raw.partition(b"\n\n")
    lines = [line for line in head.split(b"\n") if dice.random() > 0.3]
    dice.shuffle(lines)
    return b"\n".join(lines) + blank + body


def blow_up_header(dice: random.Random, raw: bytes) -> bytes:
    name = dice.choice(
        [b"To", b"Subject", b"References", b"Content-Type", b"X-Failed-Recipients", b"Date", b"Received"]
    )
    value = dice.choice(
        [b"a@b.example, ", b"=?utf-8?q?x?= ", b"; boundary=x", b"<a@b>", b"x" * 70 + b"\n ", b"(", b'"']
    )
    return name + b": " + value * dice.randint(100, 3_000) + b"\n" + raw


def break_boundaries(dice: random.Random, raw: bytes) -> bytes:
    boundaries = re.findall(rb'boundary="?([^"\s;]{1,60})', raw)
    if not boundaries:
        return b'Content-Type: multipart/mixed; boundary="none"\n' + raw
    boundary = dice.choice(boundaries)
    broken = dice.choice([b"", b"-", boundary[:-1], boundary + b"x", boundary.upper(), b"\xff"])
    return raw.replace(boundary, broken, dice.choice([1, 2, -1]))


def wrong_charset(dice: random.Random, raw: bytes) -> bytes:
    charset = dice.choice(_CHARSETS).encode("latin-1")
    raw = re.sub(rb"charset=[^\s;]+", lambda _: b"charset=" + charset, raw)
    return re.sub(rb"=\?[\w-]+\?", lambda _: b"=?" + charset + b"?", raw)


def wrong_encoding(dice: random.Random, raw: bytes) -> bytes:
    line = b"Content-Transfer-Encoding: " + dice.choice(_ENCODINGS).encode()
    if b"Content-Transfer-Encoding:" not in raw:
        return line + b"\n" + raw
    return re.sub(rb"Content-Transfer-Encoding:[^\n]*", lambda _: line, raw)


def nest(dice: random.Random, raw: bytes) -> bytes:
    for depth in range(dice.randint(1, 60)):
        if dice.random() < 0.5:
            raw = b"Content-Type: message/rfc822\n\n" + raw
        else:
            boundary = b"n%d" % depth
            kind = dice.choice([b"mixed", b"alternative", b"report", b"related"])
            raw = b"Content-Type: multipart/" + kind + b"; boundary=" + boundary + b"\n\n--" + boundary + b"\n" + raw
    return b"From: a@b.example\n" + raw


def join(dice: random.Random, raw: bytes) -> bytes:
    other = dice.choice(_SAMPLES)
    return raw[: dice.randint(0, len(raw))] + other[dice.randint(0, len(other)) :]


CHANGES: list[Change] = [
    *(flip_bytes, cut, repeat, truncate, put_in, cut_headers, blow_up_header),
    *(break_boundaries, wrong_charset, wrong_encoding, nest, join),
]


def mutated(number: int) -> bytes:
    """The broken mail of this number."""
    dice = random.Random(number)  # noqa: S311 - it need not be hard to guess
    raw = dice.choice(_SAMPLES)
    for _ in range(dice.randint(1, _MOST_CHANGES)):
        raw = dice.choice(CHANGES)(dice, raw)
    return raw


def read_everything(raw: bytes) -> None:
    """As the intake does; what is said of the mail can be stored and makes sense."""
    incoming = parse(raw)
    texts = [
        incoming.subject,
        incoming.text or "",
        incoming.html or "",
        new_text(incoming),
        subject_key(incoming.subject),
    ]
    for dsn in read_dsns(incoming):
        bounce = classify_bounce(dsn)
        assert (bounce is None) == (dsn.action is not Action.FAILED)
        texts += [dsn.diagnostic_code, dsn.recipient or "", dsn.status or "", dsn.original_message_id or ""]
    if report := read_feedback_report(incoming):
        texts += [report.feedback_type, report.recipient or "", report.original_message_id or ""]
    if auto := detect(incoming, now=NOW):
        person = auto.replacement
        texts += [auto.evidence, *auto.contacts, *((person.name, person.address) if person else ())]
    assert asks_for_no_more(incoming) in {True, False}
    for text in texts:
        assert "\x00" not in text
        text.encode("utf-8")


def _read_some(first: int, count: int) -> str | None:
    for number in range(first, first + count):
        try:
            read_everything(mutated(number))
        except Exception as error:  # noqa: BLE001 - the first that breaks anything is told
            return f"mail {number}: {error!r}"
    return None


def _slice(dice: random.Random, raw: bytes) -> tuple[int, int]:
    start = dice.randint(0, len(raw))
    return start, min(len(raw), start + dice.randint(0, 400))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.mail.mutations", description=__doc__)
    parser.add_argument("--count", type=int, default=50_000, help="how many mails")
    parser.add_argument("--first", type=int, default=0, help="the number of the first")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    options = parser.parse_args()
    numbers = range(options.first, options.first + options.count, _AT_ONCE)
    counts = [min(_AT_ONCE, options.first + options.count - first) for first in numbers]
    with ProcessPoolExecutor(options.jobs) as pool:
        broken = [told for told in pool.map(_read_some, numbers, counts) if told]
    print(f"{options.count:,} broken mails read, {len(broken)} parts failed")  # noqa: T201
    for told in broken:
        print(told)  # noqa: T201
    raise SystemExit(1 if broken else 0)


if __name__ == "__main__":
    main()
