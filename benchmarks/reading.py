"""B4 and B5: how long the API takes to answer about an account of two years, against a small one of the same shape.

Both are installations of their own, so that nothing of the one is in the caches and indexes of the other. They are
asked one request at a time, over one connection, while nothing else happens.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import cycle, islice
from pathlib import Path

from benchmarks import workspace
from benchmarks.latency import Latency, p95
from benchmarks.product import Api, Product
from benchmarks.questions import Known, Question, hottest, look_around, reports

FULL = 1_000_000
USUAL = 50_000
SMALL = 10_000
KEPT = "OUTRIDER_BENCH_ACCOUNTS"
"""A folder to keep the accounts in: filling a big one takes longer than asking it."""
_TIMES = 20
_WARM_UP = 3
_filled = ExitStack()  # the accounts of this run: B4 and B5 ask the same ones
_folders: dict[int, Path] = {}


def measure_calls(leads: int) -> list[Latency]:
    """B4."""
    return _compare("B4", leads, hottest, must=2.0, aim=1.2, is_ratio=True)


def measure_reports(leads: int) -> list[Latency]:
    """B5."""
    return _compare("B5", leads, reports, must=0.5, aim=0.1, is_ratio=False)


def close() -> None:
    """Remove the accounts of this run."""
    _filled.close()


def _compare(
    name: str, leads: int, questions: Callable[[Known], Sequence[Question]], *, must: float, aim: float, is_ratio: bool
) -> list[Latency]:
    few, many = _ask_all(SMALL, questions), _ask_all(leads, questions)
    notes = () if leads >= FULL else (f"fewer leads than the full size: --leads {FULL}",)
    return [
        Latency(
            name=name,
            what=f"p95 of {what}, {leads:,} leads, {leads * workspace.MAILS_EACH:,} mails",
            value=seconds,
            yardstick=few[what],
            against=f"{SMALL:,} leads, {SMALL * workspace.MAILS_EACH:,} mails",
            must=must,
            aim=aim,
            is_ratio=is_ratio,
            notes=notes,
        )
        for what, seconds in many.items()
    ]


def _ask_all(leads: int, questions: Callable[[Known], Sequence[Question]]) -> dict[str, float]:
    product, key = _product(leads)
    with product.running():
        with product.database() as db:
            known = look_around(db)
        api = Api(product.port, key)
        found: dict[str, float] = {}
        for question in questions(known):
            calls = islice(cycle(question.calls), _WARM_UP + max(_TIMES, len(question.calls)))
            seconds = [_timed(api, call.method, call.path, call.body) for call in calls]
            found[question.what] = max(p95(seconds[_WARM_UP:]), found.get(question.what, 0.0))
        return found


def _timed(api: Api, method: str, path: str, body: object) -> float:
    started_at = time.perf_counter()
    api.call(method, path, body)
    return time.perf_counter() - started_at


def _product(leads: int) -> tuple[Product, str]:
    """An installation with such an account, and its key."""
    if leads not in _folders:
        _folders[leads] = _filled.enter_context(_folder(leads))
    folder = _folders[leads]
    product, kept_key = Product(folder / "data", {}), folder / "key"
    if not kept_key.exists():
        with product.running():
            kept_key.write_text(workspace.fill(product, "bench@quaydesk.example", leads))
    return product, kept_key.read_text()


@contextmanager
def _folder(leads: int) -> Iterator[Path]:
    if KEPT in os.environ:
        folder = Path(os.environ[KEPT]) / str(leads)
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="outrider-bench-") as name:
        yield Path(name)
