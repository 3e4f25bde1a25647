"""`outrider sandbox`: the mail world alone, as a mail sink for anyone's tests (docs/how-to/use-the-sandbox.md)."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from outrider.cli.console import Failure, clear_failures
from outrider.kit.log import set_up_logging
from outrider.sandbox import SandboxOptions, UnreadableOption, read_mailbox, read_people, serve_sandbox

_DEFAULTS = SandboxOptions()


def sandbox(
    *,
    mailbox: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS:PASSWORD", help="A mailbox of the sender; repeatable. None: no log-in is asked."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = _DEFAULTS.host,
    smtp_port: Annotated[int, typer.Option(min=0, max=65535, help="0: a free one.")] = _DEFAULTS.smtp_port,
    imap_port: Annotated[int, typer.Option(min=0, max=65535, help="0: a free one.")] = _DEFAULTS.imap_port,
    people: Annotated[
        str, typer.Option(metavar="NAME=SHARE,…", help="How lively the world is, like open=0.6,reply=0.2.")
    ] = "",
    seed: Annotated[str, typer.Option(help="Other seeds, other people.")] = _DEFAULTS.seed,
    pace: Annotated[float, typer.Option(min=0, help="How long people take: 1 as in life, 0 at once.")] = _DEFAULTS.pace,
    step: Annotated[
        list[str] | None,
        typer.Option(metavar="PHRASE", help="A phrase that tells a step of a campaign; repeatable, for duplicates."),
    ] = None,
    save_to: Annotated[Path | None, typer.Option(help="Folder for each mail as a file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Run SMTP and IMAP servers with people who open, click, answer and bounce. No mail leaves this machine."""
    with clear_failures():
        set_up_logging("warning")
        try:
            options = SandboxOptions(
                host=host,
                smtp_port=smtp_port,
                imap_port=imap_port,
                seed=seed,
                mailboxes=[read_mailbox(text) for text in mailbox or ()],
                people=read_people(people),
                pace=pace,
                steps=step or (),
                save_to=_made(save_to),
                as_json=as_json,
            )
            asyncio.run(serve_sandbox(options))
        except UnreadableOption as error:
            raise Failure(str(error)) from error
        except OSError as error:
            raise Failure(_explained(error)) from error


def _made(folder: Path | None) -> Path | None:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def _explained(error: OSError) -> str:
    if error.filename is not None:
        return f"{error.filename}: {error.strerror}. Choose another folder with --save-to."
    return (
        str(error)
        if error.errno is None
        else f"The sandbox cannot listen: {error.strerror}. Choose another host or port."
    )
