"""What is committed works elsewhere: no traces of one machine, and nothing that says where packages come from."""

import os
import re
import subprocess
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from tests.architecture.source import ROOT, listed

PACKAGE_FILES = {"requirements.lock", "pyproject.toml", "package.json", "package-lock.json", "Makefile"}
SETTINGS_OF_INSTALLERS = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "UV_INDEX_URL", "UV_DEFAULT_INDEX")
REGISTRIES = ("py" + "pi.org", "python" + "hosted.org", "npm" + "js.org", "npm" + "js.com")
"""In pieces, so that this file passes its own test."""

_ABSOLUTE_PATH = re.compile(r"(?<![\w.:/])/" + "work" + r"/")
_OUTSIDE = re.compile(r"(?<![\w-])" + "shar" + r"ed/")
_DOWNLOAD = re.compile(r"https?://|--(?:extra-)?index-url|--find-links|\[\[tool\.uv\.index")
_SHORTEST_ROOT = 3
"""Parts of a path that can hardly stand in a text by chance."""


@cache
def committed() -> tuple[tuple[str, str], ...]:
    """Name and text of every file in git; of every file that would be, where this is no git checkout."""
    names = sorted(_in_git() or _not_ignored())
    return tuple((name, (ROOT / name).read_bytes().decode("utf-8", "replace")) for name in names)


def _in_git() -> list[str]:
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]  # the checkout may be somebody else's
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)  # noqa: S603 - the path's git
    except (OSError, subprocess.CalledProcessError):
        return []
    return [name for name in done.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def _not_ignored() -> Iterator[str]:
    """.gitignore has plain names only."""
    ignored = [line.strip("/") for line in (ROOT / ".gitignore").read_text().split()]
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if not any(fnmatch(name, pattern) for pattern in ignored)]
        yield from (
            str(Path(folder, name).relative_to(ROOT))
            for name in names
            if not any(fnmatch(name, pattern) for pattern in ignored)
        )


def lines_with(pattern: "re.Pattern[str]") -> Iterator[str]:
    for name, text in committed():
        for number, line in enumerate(text.splitlines(), start=1):
            if pattern.search(line):
                yield f"{name}:{number} {line.strip()[:100]}"


def test_no_file_names_a_place_of_this_machine() -> None:
    """A path that exists here only makes a test that passes here only."""
    found = [*lines_with(_ABSOLUTE_PATH), *lines_with(_OUTSIDE)]
    if len(ROOT.parts) >= _SHORTEST_ROOT:
        found += lines_with(re.compile(re.escape(f"{ROOT}/")))
    assert not found, "Use a path relative to the repository:" + listed(found)


def test_no_file_names_a_package_registry() -> None:
    """Where packages come from is the choice of who installs: a mirror, a proxy, a folder of wheels."""
    hosts = {*REGISTRIES, *_hosts_of_this_machine()}
    found = list(lines_with(re.compile("|".join(re.escape(host) for host in sorted(hosts)))))
    assert not found, "Leave the address out:" + listed(found)


def _hosts_of_this_machine() -> Iterator[str]:
    for name in SETTINGS_OF_INSTALLERS:
        for address in os.environ.get(name, "").split():
            host = urlsplit(address).hostname
            if host is not None and "." in host:
                yield host


def test_package_files_hold_no_download_addresses() -> None:
    found = [line for line in lines_with(_DOWNLOAD) if line.partition(":")[0] in PACKAGE_FILES]
    assert not found, "Names, versions and hashes are enough to install:" + listed(found)


def test_every_locked_package_has_its_hashes() -> None:
    """`make setup` installs with --require-hashes; one package without them and nobody can install."""
    text = (ROOT / "requirements.lock").read_text("utf-8").replace("\\\n", " ")
    wrong = [line.split()[0] for line in text.splitlines() if "==" in line and "--hash=sha256:" not in line]
    assert not wrong, "Lock these again with `make lock`:" + listed(wrong)


def test_scripts_can_be_run() -> None:
    wrong = [name for name, text in committed() if text.startswith("#!") and not os.access(Path(ROOT, name), os.X_OK)]
    assert not wrong, "These begin with #! but are not executable:" + listed(wrong)
