import asyncio
import json
import re
import signal
import sys
from pathlib import Path
from typing import Any

import aiosmtplib
import pytest

from outrider.sandbox import People, PortInUse, Sandbox, SandboxOptions, UnreadableOption, read_mailbox, read_people
from outrider.sandbox.server import serve_sandbox
from tests.sandbox.writing import PASSWORD, SENDER, campaign_mail

PROGRAM = """
import asyncio
from outrider.sandbox import People, SandboxOptions, serve_sandbox
options = SandboxOptions(
    smtp_port=0, imap_port=0, mailboxes=[("me@ours.example", "correct horse")], people=People(reply=1, unsubscribe=0,
    bounce_at_rcpt=0, bounce_later=0, answered_mails=(1,)), pace=0, steps=["print your invoices"], as_json=True)
asyncio.run(serve_sandbox(options))
"""


async def submit(port: int, raw: bytes, *, login: bool = True) -> None:
    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False)
    await client.connect()
    if login:
        await client.login(SENDER, PASSWORD)
    await client.sendmail(SENDER, ["ann@theirs.example"], raw)
    client.close()


async def until(lines: asyncio.StreamReader, event: str, **values: str) -> dict[str, Any]:
    async with asyncio.timeout(20):
        async for line in lines:
            read: dict[str, Any] = json.loads(line)
            if read["event"] == event and values.items() <= read.items():
                return read
    raise AssertionError(f"{event} was not written")


async def test_as_a_process_it_tells_everything_in_json_and_counts_at_the_end() -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", PROGRAM, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    ready = await until(process.stdout, "ready")
    for number in (1, 2):
        await submit(ready["smtp_port"], campaign_mail("ann@theirs.example", number=number))
    assert (await until(process.stdout, "mail"))["message_id"] == "mail-1@ours.example"
    assert (await until(process.stdout, "act", kind="replied"))["is_done"]
    process.send_signal(signal.SIGTERM)
    tally = await until(process.stdout, "tally")
    assert await process.wait() == 0
    assert tally["mails"]["accepted"] == 2
    assert tally["mails"]["duplicates"] == 1
    assert tally["persons"]["replied"] == 1


async def test_for_people_it_writes_plain_lines_and_files(tmp_path: Path) -> None:
    lines: asyncio.Queue[str] = asyncio.Queue()
    stop = asyncio.Event()
    options = SandboxOptions(smtp_port=0, imap_port=0, save_to=tmp_path, people=read_people("open=1,reply=0"), pace=0)
    running = asyncio.create_task(serve_sandbox(options, write=lines.put_nowait, stop=stop))
    port = re.fullmatch(r"SMTP  127\.0\.0\.1:(\d+)", await asyncio.wait_for(lines.get(), 10))
    assert port is not None
    raw = campaign_mail("ann@theirs.example")
    await submit(int(port[1]), raw, login=False)
    stop.set()
    tally = await running
    written = [lines.get_nowait() for _ in range(lines.qsize())]
    assert tally.mails.accepted == 1
    assert any("me@ours.example -> ann@theirs.example  A question about Acme" in line for line in written)
    assert "       1  accepted" in written
    assert (tmp_path / "ann@theirs.example" / "000001.eml").read_bytes() == raw


async def test_a_port_in_use_is_said_before_anything_runs(sandbox: Sandbox) -> None:
    with pytest.raises(PortInUse, match="Choose another port"):
        await serve_sandbox(SandboxOptions(smtp_port=sandbox.smtp_port, imap_port=0), write=print)


def test_options_are_read() -> None:
    assert read_mailbox("me@ours.example:pass:word") == ("me@ours.example", "pass:word")
    assert read_people("open=0.25, reply=0.5") == People(open=0.25, reply=0.5)
    assert read_people("") == People()


@pytest.mark.parametrize("text", ["me@ours.example", "me:secret", "me@ours.example:"])
def test_a_mailbox_without_its_parts_is_refused(text: str) -> None:
    with pytest.raises(UnreadableOption, match="must look like me@"):
        read_mailbox(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("opens=1", "they have open, click"),
        ("open=much", "share like 0.2"),
        ("open=2", "from 0 to 1"),
        ("reply=1", "not more"),
    ],
)
def test_people_that_cannot_be_are_refused(text: str, said: str) -> None:
    with pytest.raises(UnreadableOption, match=said):
        read_people(text)
