"""Who may know whom (style §3): the contracts stand in pyproject.toml, `make lint` and this test check them."""

import subprocess
import sys
from pathlib import Path

from tests.architecture.source import ROOT


def test_imports_go_to_the_right_only() -> None:
    """A slice that imports a slice above it cannot be understood or tested without it, and soon everything knows
    everything. What is above hears of what happens below by events: `emit`, and a line in wiring.py."""
    command = [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    assert done.returncode == 0, done.stdout + done.stderr
