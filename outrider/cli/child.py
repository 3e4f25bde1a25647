"""What the processes of the tree have in common: they start with the parent's settings and end with the parent."""

import ctypes
import os
import signal
import sys

from outrider.config import Settings, load_settings
from outrider.kit.log import set_up_logging

_SET_PARENT_DEATH_SIGNAL = 1  # prctl(2)


def begin() -> tuple[Settings, list[str]]:
    """Called first by a process that `processes` started; returns its settings and its own arguments."""
    parent, *arguments = sys.argv[1:]
    _end_with(int(parent))
    settings = load_settings(os.environ)
    set_up_logging(settings.log_level)
    return settings, arguments


def _end_with(parent: int) -> None:
    """Ask the kernel for SIGTERM when the parent is gone, however it went (prctl(2), Linux)."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(1)  # it went before we asked
