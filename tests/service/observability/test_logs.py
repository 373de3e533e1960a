"""Each request of either transport is one log line in JSON, with its id and without the image."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from typing import Any

import grpc
import httpx
import pytest

from benchmarks.harness.paths import ROOT
from benchmarks.harness.serving import SERVE
from hiseg.access.keys import digest
from hiseg.observability.logs import (
    MAX_REPEATS,
    REPEAT_S,
    JsonFormatter,
    LogFormat,
    RepeatFilter,
    RequestLogEntry,
    read_request_id,
)
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from hiseg.transports.grpc.generated.hiseg.v1.segmentation_pb2_grpc import SegmentationServiceStub

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize("text", ["", "a b", "x\ny", "ä", "a" * 129, '"'])
def test_an_id_that_may_not_stand_in_a_log_is_replaced(text: str) -> None:
    assert re.fullmatch("[0-9a-f]{32}", read_request_id(text))
    assert read_request_id("req-1:2/3+4=") == "req-1:2/3+4="


def test_warnings_of_one_kind_are_few_and_errors_all_get_through() -> None:
    repeats, now = RepeatFilter(), 0.0

    def passed(level: int, logger: str, text: str, *args: object) -> str:
        record = logging.LogRecord(logger, level, "", 0, text, args, None)
        record.created = now
        return record.getMessage() if repeats.filter(record) else ""

    for number in range(1000):
        assert passed(logging.ERROR, "uvicorn.error", "bug") == "bug"
        assert bool(passed(logging.WARNING, "py.warnings", f"tag {number}")) == (number < MAX_REPEATS)
        assert bool(passed(logging.WARNING, "uvicorn.error", "Invalid %s", number)) == (number < MAX_REPEATS)
    assert passed(logging.WARNING, "uvicorn.error", "another") == "another"
    now += REPEAT_S
    assert passed(logging.WARNING, "py.warnings", "tag") == "tag (990 more like this were left out)"
    assert passed(logging.WARNING, "uvicorn.error", "Invalid %s", 1) == "Invalid 1 (990 more like this were left out)"
    assert passed(logging.WARNING, "py.warnings", "tag") == "tag"


@pytest.mark.parametrize("form", LogFormat)
def test_warnings_of_libraries_are_lines_of_the_log(form: LogFormat) -> None:
    code = (
        "import sys, warnings; from hiseg.observability.logs import LogFormat, configure_logging\n"
        "configure_logging(LogFormat(sys.argv[1]))\nfor tag in range(100): warnings.warn(f'tag {tag}')"
    )
    done = subprocess.run([sys.executable, "-c", code, form], capture_output=True, text=True, check=True)
    lines = [line for line in done.stderr.splitlines() if "UserWarning" in line]
    assert len(lines) == MAX_REPEATS
    if form is LogFormat.JSON:
        assert {json.loads(line)["logger"] for line in done.stderr.splitlines()} == {"py.warnings"}
    else:
        assert lines[0].startswith("WARNING:")


def test_opencv_writes_nothing_of_damaged_images() -> None:
    code = (
        "import sys, cv2, numpy as np; from hiseg.observability.logs import LogFormat, configure_logging\n"
        "configure_logging(LogFormat.TEXT)\n"
        "image = cv2.imencode('.webp', np.zeros((9, 9, 3), np.uint8))[1]\n"
        "for size in range(20, len(image), 5): cv2.imdecode(image[:size], cv2.IMREAD_COLOR)"
    )
    run = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, check=True)
    assert run.stderr == ""


def test_one_line_a_request(photo: bytes) -> None:
    settings = {"HISEG_LOG_FORMAT": "json", "HISEG_API_KEYS": f"web:{digest('good')}"}
    process = subprocess.Popen(SERVE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ | settings)
    assert process.stderr is not None
    lines: list[dict[str, Any]] = []
    for text in process.stderr:
        lines.append(json.loads(text))
        if lines[-1]["message"] == "Ready":
            break
    ready = lines[-1]
    try:
        with httpx.Client(base_url=ready["playground"], timeout=60) as client:
            headers = {"content-type": "image/jpeg", "x-api-key": "good"}
            headers["traceparent"] = f"00-{TRACE}-00f067aa0ba902b7-01"
            url = "/v1/segment?boxes=22,15,365,512"
            answer = client.post(url, content=photo, headers=headers | {"x-request-id": "mine-1"})
            assert (answer.status_code, answer.headers["x-request-id"]) == (200, "mine-1")
            refused = client.post(url, content=photo, headers={"x-request-id": "bad id"})
            assert refused.status_code == 401
            assert re.fullmatch("[0-9a-f]{32}", refused.headers["x-request-id"])
            assert client.get("/readyz").headers["x-request-id"]
        with grpc.insecure_channel(ready["grpc"].removeprefix("grpc://"), [("grpc.enable_http_proxy", 0)]) as channel:
            metadata = (("x-api-key", "good"), ("x-request-id", "mine-2"))
            request = pb.SegmentRequest(encoded_image=photo, boxes=[pb.Box(x1=22, y1=15, x2=365, y2=512)])
            stub = SegmentationServiceStub(channel)
            _, call = stub.Segment.with_call(request, metadata=metadata)
            assert ("x-request-id", "mine-2") in [tuple(pair) for pair in call.trailing_metadata()]
            first = pb.SegmentStreamRequest(config=pb.StreamConfig())
            frame = pb.SegmentStreamRequest(frame=pb.Frame(encoded_image=photo, boxes=request.boxes))
            assert len(list(stub.SegmentStream(iter([first, frame]), metadata=metadata))) == 1
    finally:
        process.terminate()
        rest = process.stderr.read()
        process.wait(30)
        process.stderr.close()
    lines = [line for line in map(json.loads, rest.splitlines()) if line["logger"] == "hiseg.requests"]
    http, unauthorized, call, stream = lines
    assert http["timings_ms"].keys() == {"decode", "queue", "infer", "masks", "encode"}
    assert (
        http
        | {
            "request_id": "mine-1",
            "method": "POST",
            "path": "/v1/segment",
            "status": 200,
            "people": 1,
            "variant": "b0",
            "key": "web",
            "outcome": "ok",
        }
        == http
    )
    assert (http["trace_id"], http["bytes_in"], http["bytes_out"]) == (TRACE, len(photo), len(answer.content))
    assert (unauthorized["status"], unauthorized["request_id"]) == (401, refused.headers["x-request-id"])
    assert (call["request_id"], call["rpc"], call["status"], call["people"]) == ("mine-2", "Segment", "OK", 1)
    assert (stream["rpc"], stream["status"], stream["frames"]) == ("SegmentStream", "OK", {"ok": 1})
    precision = answer.json()["model"]["precision"]
    assert {line["precision"] for line in (http, call, stream)} == {precision}
    assert all(len(json.dumps(line)) < 700 for line in lines), "no pictures"


def test_texts_of_a_line_are_short_whatever_the_caller_sent(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "hiseg.requests"):
        RequestLogEntry(client="1" * 60_000).write(path="/" + "x\n" * 60_000, status=404)
    (record,) = caplog.records
    line = JsonFormatter().format(record)
    assert len(line) < 500
    assert "(120001 characters)" in line
    assert "\\n" not in line
