"""A service that is ready says where it is found; with a real service in ``test_logs`` and ``test_serve``."""

from __future__ import annotations

import dataclasses
import json
import logging

import pytest

from hiseg.core.result import ModelRef
from hiseg.core.version import hiseg_version
from hiseg.observability.announcement import Announcement
from hiseg.observability.logs import JsonFormatter, LogFormat

B0, TINY = ModelRef("hiseg_b0", "3", "b0", "onnx", "int8"), ModelRef("tiny", "1", "b0", "onnx")
HERE = Announcement("127.0.0.1", 8000, 50051, False, False, [B0, TINY], B0, "/models")


def test_people_read_lines_of_which_the_last_says_that_it_is_ready(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        HERE.write(LogFormat.TEXT)
    assert caplog.messages == [
        "Models of /models:",
        "            hiseg_b0, version 3, variant b0, int8, the default",
        "            tiny, version 1, variant b0",
        "gRPC        grpc://127.0.0.1:50051",
        "API docs    http://127.0.0.1:8000/docs",
        "Playground  http://127.0.0.1:8000",
        f"Ready: hiseg {hiseg_version()}",
    ]


def test_programs_read_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        HERE.write(LogFormat.JSON)
    (record,) = caplog.records
    line = json.loads(JsonFormatter().format(record))
    assert line["message"] == "Ready"
    assert (line["playground"], line["docs"]) == ("http://127.0.0.1:8000", "http://127.0.0.1:8000/docs")
    assert (line["grpc"], line["models_from"]) == ("grpc://127.0.0.1:50051", "/models")
    assert line["models"] == [
        {"name": "hiseg_b0", "version": "3", "variant": "b0", "precision": "int8", "default": True},
        {"name": "tiny", "version": "1", "variant": "b0", "precision": "", "default": False},
    ]


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("0.0.0.0", "127.0.0.1"),
        ("::", "[::1]"),
        ("::1", "[::1]"),
        ("192.168.1.5", "192.168.1.5"),
        ("localhost", "localhost"),
    ],
)
def test_addresses_can_be_opened(host: str, shown: str) -> None:
    found = dataclasses.replace(HERE, host=host, http_tls=True, grpc_tls=True)
    assert (found.docs, found.grpc) == (f"https://{shown}:8000/docs", f"grpcs://{shown}:50051")
    assert list(found.lines())[-1].endswith("on all addresses") == (host in ("0.0.0.0", "::"))
