"""With tracing off, nothing of the SDK is imported, and the caller's trace context is still passed on."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Sequence

import pytest

from benchmarks.harness.paths import ROOT
from hiseg.app import create_tracing
from hiseg.core.extras import ExtraMissing, install_command
from hiseg.observability.tracing import OFF, NoTracing, Span, Stage
from hiseg.settings import Settings
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from tests.service.transports.grpc.camera import FRAME
from tests.service.transports.grpc.harness import running

TOLD = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
WHAT_SERVE_LOADS = """
import sys
import hiseg.cli.main
from hiseg.app import create_tracing
from hiseg.settings import Settings
from hiseg.observability.tracing import OFF
assert create_tracing(Settings()) is OFF
print(*(name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter"))))
"""


class Strict(NoTracing):
    """Off, and must be left alone."""

    def record_stages(self, traceparent: str, stages: Sequence[Stage]) -> None:
        raise AssertionError("stages were reported")

    def start_batch(self, model: str, traceparents: Sequence[str], rois: int) -> Span:
        raise AssertionError("a batch was reported")


def test_nothing_of_the_sdk_is_loaded() -> None:
    found = subprocess.run([sys.executable, "-c", WHAT_SERVE_LOADS], capture_output=True, text=True, cwd=ROOT)
    assert (found.returncode, found.stdout.strip()) == (0, ""), found.stderr


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    monkeypatch.delitem(sys.modules, "hiseg.observability.otel", raising=False)
    with pytest.raises(ExtraMissing, match=re.escape(install_command("tracing"))):
        create_tracing(Settings(tracing=True))


def test_nothing_is_measured_and_the_callers_trace_reaches_the_engine() -> None:
    async def scenario() -> list[str]:
        async with running(tracing=Strict()) as service:
            for metadata in ((("traceparent", TOLD),), ()):
                await service.stub.Segment(pb.SegmentRequest(**FRAME), timeout=20, metadata=metadata)
        return [batch.meta.traceparent for batch in service.engine.batches]

    assert asyncio.run(scenario()) == [TOLD, ""]


def test_a_batch_belongs_to_the_first_request_that_is_traced() -> None:
    assert OFF.start_batch("b0", ["", TOLD, TOLD.replace("b7", "b8")], 3).traceparent == TOLD
    assert OFF.start_batch("b0", [""], 1).traceparent == ""
