"""Which tests of a parallel run go to the same process: those of a file, and of a folder that shares an installation.

pytest-xdist's own marks for this (`--dist loadgroup`) have no effect since pytest 9.2.
"""

from xdist.scheduler import LoadFileScheduling

TOGETHER = ("tests/contract/", "tests/e2e/")


class Scheduling(LoadFileScheduling):
    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return next((folder for folder in TOGETHER if file.startswith(folder)), file)
