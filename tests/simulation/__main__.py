"""`python -m tests.simulation`: many stories, side by side; the first that breaks an invariant is told."""

import argparse
import asyncio
import os
import sys
import time
import traceback
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass

import uvloop

from outrider.kit.crypto import set_vault
from outrider.kit.db import Database
from outrider.wiring import wire
from tests.simulation.run import Run
from tests.simulation.story import Broken, Story
from tests.support import make
from tests.support.database import Cleaner, TestServer, make_database, make_template

_AT_ONCE = 25
_LAST_LINES = 40


@dataclass(frozen=True)
class Failure:
    seed: int
    text: str


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="how many stories")
    parser.add_argument("--seed", type=int, default=1, help="the first story's seed; the others follow")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--tell", action="store_true", help="print every line")
    options = parser.parse_args()
    server = TestServer.start()
    try:
        failures = _run_all(server.url, options)
    finally:
        server.stop()
    sys.exit(1 if failures else 0)


def _run_all(server_url: str, options: argparse.Namespace) -> list[Failure]:
    template = asyncio.run(make_template(server_url))
    started_at = time.monotonic()
    seeds = range(options.seed, options.seed + options.runs)
    parts = [seeds[first : first + _AT_ONCE] for first in range(0, len(seeds), _AT_ONCE)]
    failures: list[Failure] = []
    mails = done = 0
    with ProcessPoolExecutor(options.jobs) as pool:
        running = {pool.submit(_run_some, server_url, template, list(part), options.tell) for part in parts}
        for future in as_completed(running):
            count, sent, found = future.result()
            done, mails = done + count, mails + sent
            failures += found
            seconds = time.monotonic() - started_at
            print(f"{done} stories, {mails:,} mails, {len(failures)} broken, {seconds:.0f} s", flush=True)  # noqa: T201
            for failure in found:
                print(failure.text, flush=True)  # noqa: T201
            if failures:
                pool.shutdown(cancel_futures=True)
                break
    return failures


def _run_some(server_url: str, template: str, seeds: list[int], tell: bool) -> tuple[int, int, list[Failure]]:
    set_vault(make.VAULT)
    wire()
    url = make_database(server_url, f"simulation_{os.getpid()}", template)
    return uvloop.run(_tell_some(url, seeds, tell=tell))


async def _tell_some(url: str, seeds: list[int], *, tell: bool) -> tuple[int, int, list[Failure]]:
    database, cleaner = await Database.open(url, max_size=4), Cleaner.of(url)
    mails = 0
    try:
        for number, seed in enumerate(seeds, 1):
            run = Run(Story(seed), database, cleaner)
            try:
                await run.tell()
            except Broken as broken:
                return number, mails, [Failure(seed, explain(run.story, broken))]
            except Exception as error:  # noqa: BLE001 - a crash is a finding like any other
                traceback.print_exception(error)
                return number, mails, [Failure(seed, explain(run.story, Broken(0, repr(error))))]
            finally:
                mails += len(run.servers.submissions)
                if tell:
                    print("\n".join(run.story.lines))  # noqa: T201
        return len(seeds), mails, []
    finally:
        await database.close()


def explain(story: Story, broken: Broken) -> str:
    """What broke, the lines that are about it, and how to see it again."""
    lines = story.about(*broken.names).splitlines() if broken.names else story.lines
    return "\n".join(
        (
            f"Seed {story.seed}: {broken}",
            *(["…"] if len(lines) > _LAST_LINES else []),
            *lines[-_LAST_LINES:],
            f"The whole story: python -m tests.simulation --seed {story.seed} --runs 1 --tell",
        )
    )


if __name__ == "__main__":
    main()
