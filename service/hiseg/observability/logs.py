"""Logs for machines: JSON, one line an event and one line a request, each with the request's id; never a picture.

As text, for people at a terminal, there is no line a request.
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
"""Header of HTTP; the key of gRPC's metadata is the same."""
current_id: ContextVar[str] = ContextVar("current_id", default="")
"""Of the request that is being worked on."""
log = logging.getLogger("hiseg.requests")
_FORM = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")


class LogFormat(StrEnum):
    """How lines look."""

    TEXT = "text"
    JSON = "json"


@dataclass(slots=True)
class RequestLogEntry:
    """What is known of a request in the end.

    Attributes:
        outcome: as in the metrics.
        client: the address that it came from.
        key: name of its API key; empty: it needed none.
        variant: the model's.
        people: masks that were made.
        timings_ms: of each stage.
        trace_id: of the caller's trace; empty: it isn't traced.
    """

    outcome: str = ""
    client: str = ""
    key: str = ""
    variant: str = ""
    people: int | None = None
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    trace_id: str = ""

    def write(self, **more: object) -> None:
        """The request's line; what is empty is left out."""
        if log.isEnabledFor(logging.INFO):
            own = {name: getattr(self, name) for name in self.__slots__}
            fields = {name: value for name, value in (more | own).items() if value not in ("", None, {})}
            log.info("request", extra={"fields": fields})


def read_request_id(text: str) -> str:
    """The caller's id of a request if it is one that may stand in a log, else a new one."""
    return text if _FORM.fullmatch(text) else uuid.uuid4().hex


def trace_id(traceparent: str) -> str:
    """Which trace a W3C trace context belongs to; empty if there is none."""
    return traceparent.split("-")[1] if traceparent else ""


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {"time": at, "level": record.levelname.lower(), "logger": record.name}
        line["message"] = record.getMessage()
        if number := current_id.get():
            line["request_id"] = number
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def configuration(form: LogFormat) -> dict[str, Any]:
    """What :func:`logging.config.dictConfig` is given."""
    if form is LogFormat.TEXT:
        return LOGGING_CONFIG
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {"hiseg": {"level": "INFO"}, "uvicorn": {"level": "INFO"}},
    }
