"""`python -m benchmarks [NAME …] [--leads N] [--json]`: exit status 1 if a must is missed, 2 if one cannot run."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence

from benchmarks import claiming, idling, importing, intake, reading, sending, submitting
from benchmarks.harness import CannotMeasure, Measurement
from benchmarks.idling import Memory
from benchmarks.latency import Latency

Found = Sequence[Measurement | Latency | Memory]
_BENCHMARKS: dict[str, tuple[Callable[[int], Found], int, int]] = {
    "b1": (sending.measure, 20_000, sending.FULL),
    "b2": (submitting.measure, 10_000, submitting.FULL),
    "b3": (importing.measure, 50_000, importing.FULL),
    "b4": (reading.measure_calls, reading.USUAL, reading.FULL),
    "b5": (reading.measure_reports, reading.USUAL, reading.FULL),
    "b6": (claiming.measure, claiming.FULL, claiming.FULL),
    "b7": (intake.measure, 10_000, intake.FULL),
    "b9": (idling.measure, idling.USUAL, idling.FULL),
}
"""By name: what measures, how many leads (B9: mailboxes) by default, how many in full size."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Ratios to a yardstick of the same run.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {' '.join(_BENCHMARKS)}; all without a name")
    parser.add_argument("--leads", type=int, help="how many leads")
    parser.add_argument("--full", action="store_true", help="as many leads as the design asks for")
    parser.add_argument("--json", action="store_true", dest="as_json", help="one JSON object at the end")
    options = parser.parse_args()
    names = [name.lower() for name in options.names] or list(_BENCHMARKS)
    if unknown := set(names) - _BENCHMARKS.keys():
        parser.error(f"there is no benchmark {' '.join(sorted(unknown))}; there are {' '.join(_BENCHMARKS)}")
    measured: list[Measurement | Latency | Memory] = []
    try:
        for name in names:
            measure, usual, full = _BENCHMARKS[name]
            found = measure(options.leads or (full if options.full else usual))
            measured += found
            if not options.as_json:
                print("\n".join(line for each in found for line in each.lines()), flush=True)
    except CannotMeasure as problem:
        print(problem, file=sys.stderr)
        return 2
    finally:
        reading.close()
    if options.as_json:
        print(json.dumps([each.as_dict() for each in measured], indent=2))
    return 0 if all(each.is_reached for each in measured) else 1


sys.exit(main())
