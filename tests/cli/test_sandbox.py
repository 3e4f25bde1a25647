"""The sandbox as a command; what it does is tested in tests/sandbox."""

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to" / "use-the-sandbox.md"


async def test_it_says_where_it_listens_and_counts_when_it_is_ended() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "outrider.cli", "sandbox", "--smtp-port", "0", "--imap-port", "0", "--json"),
        *("--mailbox", "me@ours.example:correct horse", "--seed", "7", "--people", "open=1", "--pace", "0"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    ready = json.loads(await process.stdout.readline())
    for port in (ready["smtp_port"], ready["imap_port"]):
        _reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
    process.send_signal(signal.SIGTERM)
    tally = json.loads((await process.stdout.read()).splitlines()[-1])
    assert tally["event"] == "tally"
    assert await process.wait() == 0


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("--mailbox", "me", "A mailbox must look like me@example.com:password, not 'me'."),
        ("--people", "sleep=1", "People have no 'sleep'"),
        ("--people", "open=often", "open must be a share like 0.2"),
        ("--save-to", "/proc/nowhere/mails", "Choose another folder with --save-to."),
    ],
)
async def test_an_option_that_cannot_be_used_is_said(run: Run, option: str, value: str, sentence: str) -> None:
    result = await run("sandbox", "--smtp-port", "0", "--imap-port", "0", option, value)
    assert result.exit_code == 1
    assert sentence in result.stderr


def test_a_port_in_use_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        said = refused("--imap-port", "0", "--smtp-port", str(server.getsockname()[1]))
    assert "is used by another program. Choose another port" in said


def test_an_address_of_another_machine_is_said() -> None:
    assert "Choose another host or port." in refused("--host", "192.0.2.1", "--smtp-port", "0")


def refused(*options: str) -> str:
    """In a process of its own, which takes signals."""
    command = [sys.executable, "-m", "outrider.cli", "sandbox", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own program
    assert (done.returncode, done.stdout) == (1, "")
    return done.stderr


async def test_the_how_to_names_every_option(run: Run) -> None:
    page = HOW_TO.read_text("utf-8")
    options = set(re.findall(r"--[a-z-]+", (await run("sandbox", "--help")).stdout)) - {"--help"}
    assert options
    assert options == set(re.findall(r"`(--[a-z-]+)", page)) | {"--smtp-port", "--imap-port"}
