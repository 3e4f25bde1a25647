"""Log lines of the form time=… level=… logger=… event=… key=value, one per happening, on stderr.

Values of keys that name a secret are masked, and API keys inside addresses too, so a mistake does not leak them.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO, cast

import structlog
from structlog.typing import FilteringBoundLogger, Processor

from outrider.kit.clock import SYSTEM_CLOCK

MASK = "***"
_SECRET_KEY = re.compile(r"password|passwd|secret|token|api_?key|authorization|cookie|credential", re.IGNORECASE)
_SECRET_IN_TEXT = re.compile(
    r"(?P<kept>(?:api_?key|password|token)=|bearer\s+|://[^/\s:@]+:)(?P<secret>[^\s&\"'@]+)", re.IGNORECASE
)
_QUIET_LIBRARIES = ("procrastinate", "httpx", "httpcore", "asyncio", "mail.log")


def get_logger(name: str) -> FilteringBoundLogger:
    """A logger: `log.info("mail sent", mailbox_id=3)`."""
    return cast("FilteringBoundLogger", structlog.get_logger(logger_name=name))


def set_up_logging(level: str, *, stream: TextIO = sys.stderr) -> None:
    """Called once when a process starts. Libraries that use the standard logging write the same lines."""
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, *_processors(), _rename_logger, *_rendering()],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_add_standard_name, *_processors()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering()],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for name in _QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))


def _processors() -> list[Processor]:
    return [structlog.processors.add_log_level, _add_time, structlog.processors.format_exc_info]


def _rendering() -> list[Processor]:
    return [mask_secrets, structlog.processors.LogfmtRenderer(key_order=["time", "level", "logger", "event"])]


def _add_time(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    line["time"] = SYSTEM_CLOCK.wall().isoformat(timespec="milliseconds")
    return line


def _rename_logger(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """`logger` itself is a parameter of structlog's."""
    line["logger"] = line.pop("logger_name", "outrider")
    return line


def _add_standard_name(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    line["logger"] = line["_record"].name
    return line


def mask_secrets(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The last step before a line is written: no secret leaves by a key's name or inside a text."""
    for key, value in line.items():
        if _SECRET_KEY.search(key):
            line[key] = MASK
        elif isinstance(value, str):
            line[key] = _SECRET_IN_TEXT.sub(rf"\g<kept>{MASK}", value)
    return line
