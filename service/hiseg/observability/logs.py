"""Logging: JSON with one line for each event and each request, or text for people at a terminal.

Every line of JSON that belongs to a request has the request's id. As text there is no line for each request. Images are
never logged.
"""

from __future__ import annotations

import copy
import json
import logging
import logging.config
import re
import uuid
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import cv2

from hiseg.core.errors import shorten

REQUEST_ID = "x-request-id"
"""Name of the HTTP header, and of the key in gRPC metadata."""
current_request_id: ContextVar[str] = ContextVar("current_request_id", default="")
"""Id of the request that the current task works on; empty outside of requests."""
MAX_REPEATS = 10
"""Most warnings of one kind in :data:`REPEAT_S`; a kind is a logger and a text before its values are put in."""
REPEAT_S = 60.0
MAX_MESSAGE_CHARACTERS = 4096
"""Most characters of the message of a line in JSON."""
MAX_TRACEBACK_CHARACTERS = 65_536
PYTHON_WARNINGS = "py.warnings"
"""Logger that the warnings module's texts go to."""
MAX_KINDS = 1000
"""Most kinds of warnings that are counted."""
log = logging.getLogger("hiseg.requests")
_VALID_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")


class LogFormat(StrEnum):
    """Format of the log."""

    TEXT = "text"
    JSON = "json"


@dataclass(slots=True)
class RequestLogEntry:
    """The log line of one request, filled in while the request is worked on.

    Attributes:
        outcome: how the request ended, as the metrics call it; see :func:`hiseg.observability.metrics.outcome_of`.
        client: address of the caller.
        key: name of the caller's API key; empty: none was needed.
        variant: variant of the model.
        model: name of the model.
        precision: of its weights.
        people: number of masks that were made; None: the request didn't get so far.
        timings_ms: milliseconds of each stage, by name.
        trace_id: id of the caller's trace; empty: the request isn't traced.
    """

    outcome: str = ""
    client: str = ""
    key: str = ""
    variant: str = ""
    model: str = ""
    precision: str = ""
    people: int | None = None
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    trace_id: str = ""

    def write(self, **more: object) -> None:
        """Write the line, with further fields; fields that are empty are left out, and texts are shortened."""
        if log.isEnabledFor(logging.INFO):
            own = {name: getattr(self, name) for name in self.__slots__}
            fields = {
                name: shorten(value) if isinstance(value, str) else value
                for name, value in (more | own).items()
                if value not in ("", None, {})
            }
            log.info("request", extra={"fields": fields})


def read_request_id(text: str) -> str:
    """Return the caller's request id if it has a valid form, else a new one."""
    return text if _VALID_ID.fullmatch(text) else uuid.uuid4().hex


def trace_id(traceparent: str) -> str:
    """The id of the trace in a W3C trace context, which may be empty."""
    return traceparent.split("-")[1] if traceparent else ""


class JsonFormatter(logging.Formatter):
    """Formats a log record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {"time": at, "level": record.levelname.lower(), "logger": record.name}
        line["message"] = record.getMessage()[:MAX_MESSAGE_CHARACTERS]
        if request_id := current_request_id.get():
            line["request_id"] = request_id
        line |= getattr(record, "fields", {})
        if record.exc_info:
            # Its end says which error it was; a library's error may quote all that it was given.
            line["traceback"] = self.formatException(record.exc_info)[-MAX_TRACEBACK_CHARACTERS:]
        return json.dumps(line, ensure_ascii=False, default=str)


class RepeatFilter(logging.Filter):
    """Lets through only so many warnings of one kind a minute, and then says how many were left out.

    Warnings of libraries come as often as a caller likes: one for each damaged tag of a picture, or for each connection
    that speaks no HTTP. Errors, and what the service says itself, always get through.
    """

    def __init__(self) -> None:
        super().__init__()
        self._kinds: dict[tuple[str, str], tuple[float, int]] = {}
        """Of each kind when its present minute began, and how many have come since."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno != logging.WARNING:
            return True
        # Python's own warnings have their values put in already.
        kind = record.name, "" if record.name == PYTHON_WARNINGS else str(record.msg)
        began, count = self._kinds.get(kind, (record.created, 0))
        left_out = 0
        if record.created - began >= REPEAT_S:
            left_out, began, count = max(0, count - MAX_REPEATS), record.created, 0
        if len(self._kinds) >= MAX_KINDS and kind not in self._kinds:
            self._kinds.clear()
        self._kinds[kind] = began, count + 1
        if left_out:
            record.msg, record.args = f"{record.getMessage()} ({left_out} more like this were left out)", ()
        return count < MAX_REPEATS


def logging_config(log_format: LogFormat) -> dict[str, Any]:
    """Return the configuration of the log for :func:`logging.config.dictConfig`."""
    repeats: dict[str, Any] = {"repeats": {"()": RepeatFilter}}
    if log_format is LogFormat.TEXT:
        from uvicorn.config import LOGGING_CONFIG  # not at the top: commands that serve nobody have requests too

        handlers = copy.deepcopy(LOGGING_CONFIG["handlers"])
        handlers["default"]["filters"] = ["repeats"]
        of_terminal = {"handlers": ["default"], "propagate": False}
        loggers = {
            "hiseg": of_terminal | {"level": "INFO"},
            log.name: {"level": "WARNING"},
            # Its steps of starting and stopping would be mixed with the service's own.
            "uvicorn": of_terminal | {"level": "WARNING"},
            PYTHON_WARNINGS: of_terminal,
        }
        return LOGGING_CONFIG | {"filters": repeats, "handlers": handlers, "loggers": loggers}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": repeats,
        "formatters": {"json": {"()": JsonFormatter}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json", "filters": ["repeats"]}},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {"hiseg": {"level": "INFO"}},
    }


def configure_logging(log_format: LogFormat) -> None:
    """Configure the log of this process, Python's own warnings included."""
    logging.config.dictConfig(logging_config(log_format))
    logging.captureWarnings(True)
    # It would write of each damaged image past the log, where who sent it is told of it anyway.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
