"""Logging: JSON with one line for each event and each request, or text for people at a terminal.

Every line of JSON that belongs to a request has the request's id. As text there is no line for each request. Images are
never logged.
"""

from __future__ import annotations

import json
import logging
import re
import uuid
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from uvicorn.config import LOGGING_CONFIG

REQUEST_ID = "x-request-id"
"""Name of the HTTP header, and of the key in gRPC metadata."""
current_request_id: ContextVar[str] = ContextVar("current_request_id", default="")
"""Id of the request that the current task works on; empty outside of requests."""
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
        people: number of masks that were made; None: the request didn't get so far.
        timings_ms: milliseconds of each stage, by name.
        trace_id: id of the caller's trace; empty: the request isn't traced.
    """

    outcome: str = ""
    client: str = ""
    key: str = ""
    variant: str = ""
    people: int | None = None
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    trace_id: str = ""

    def write(self, **more: object) -> None:
        """Write the line, with further fields; fields that are empty are left out."""
        if log.isEnabledFor(logging.INFO):
            own = {name: getattr(self, name) for name in self.__slots__}
            fields = {name: value for name, value in (more | own).items() if value not in ("", None, {})}
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
        line["message"] = record.getMessage()
        if request_id := current_request_id.get():
            line["request_id"] = request_id
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def logging_config(log_format: LogFormat) -> dict[str, Any]:
    """Return the configuration of the log for :func:`logging.config.dictConfig`."""
    if log_format is LogFormat.TEXT:
        return LOGGING_CONFIG
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {"hiseg": {"level": "INFO"}, "uvicorn": {"level": "INFO"}},
    }
