"""Log lines are one line each, and no secret is in them."""

import io
import logging
from collections.abc import Iterator

import pytest
import structlog

from outrider.kit.log import get_logger, set_up_logging


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    set_up_logging("info", stream=stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_line_has_time_level_logger_event_and_values(lines: io.StringIO) -> None:
    get_logger("engine").info("mail sent", mailbox_id=3, to="a b")
    line = lines.getvalue()
    assert line.startswith("time=2")
    assert line.endswith('level=info logger=engine event="mail sent" mailbox_id=3 to="a b"\n')


def test_levels_below_the_chosen_one_are_not_written(lines: io.StringIO) -> None:
    get_logger("engine").debug("details")
    logging.getLogger("library").debug("details")
    assert lines.getvalue() == ""


@pytest.mark.parametrize(
    "values",
    [
        {"smtp_password": "hunter2"},
        {"api_key": "hunter2"},
        {"headers": "Authorization: Bearer hunter2"},
        {"path": "/api/v1/leads?api_key=hunter2&limit=1"},
        {"url": "postgresql://me:hunter2@host/outrider"},
    ],
)
def test_secrets_are_masked(lines: io.StringIO, values: dict[str, str]) -> None:
    get_logger("web").info("request", **values)
    assert "hunter2" not in lines.getvalue()
    assert "***" in lines.getvalue()


def test_a_line_break_in_a_value_does_not_make_a_second_line(lines: io.StringIO) -> None:
    get_logger("mail").warning("refused", text="550 no\nlevel=error event=forged")
    assert lines.getvalue().count("\n") == 1


def test_an_exception_is_written_on_the_same_line(lines: io.StringIO) -> None:
    try:
        int("broken")
    except ValueError:
        get_logger("engine").exception("step failed")
    assert lines.getvalue().count("\n") == 1
    assert "ValueError: invalid literal" in lines.getvalue()


def test_libraries_write_the_same_lines_and_masked(lines: io.StringIO) -> None:
    logging.getLogger("uvicorn.error").warning("listening on %s", "/x?api_key=hunter2")
    assert 'level=warning logger=uvicorn.error event="listening on /x?api_key=***"' in lines.getvalue()
