"""What a server's words mean. They are the real server's; that it says them is seen in the other tests here."""

from __future__ import annotations

import pytest
from tritonclient.utils import InferenceServerException

from hiseg.engines.triton.failures import Kind, call_failed

UNHEALTHY = "Failed to process the request(s), message: Stub process 'b0_0' is not healthy."


@pytest.mark.parametrize(
    ("status", "text", "kind", "hurt"),
    [
        ("UNAVAILABLE", "failed to connect to all addresses; last error: Connection refused", Kind.AWAY, False),
        ("UNAVAILABLE", "Socket closed", Kind.AWAY, True),
        ("UNAVAILABLE", "recvmsg:Connection reset by peer", Kind.AWAY, True),
        ("UNAVAILABLE", "Exceeds maximum queue size", Kind.BUSY, False),
        ("UNAVAILABLE", "Request timeout expired", Kind.BUSY, False),
        ("RESOURCE_EXHAUSTED", "too much", Kind.BUSY, False),
        ("NOT_FOUND", "Request for unknown model: 'b0' has no available versions", Kind.AWAY, False),
        ("INVALID_ARGUMENT", "Unable to find shared memory region: 'x'", Kind.AWAY, False),
        ("INTERNAL", UNHEALTHY, Kind.SICK, True),
        ("INTERNAL", "Received RST_STREAM with error code 2", Kind.AWAY, True),
        ("INTERNAL", "onnx runtime error: the shapes don't fit", Kind.FAULT, False),
        ("INVALID_ARGUMENT", "unexpected shape for input 'rois'", Kind.FAULT, False),
        ("DEADLINE_EXCEEDED", "Deadline Exceeded", Kind.LATE, False),
    ],
)
def test_words(status: str, text: str, kind: Kind, hurt: bool) -> None:
    failure = call_failed(InferenceServerException(text, f"StatusCode.{status}"))
    assert (failure.kind, failure.hurt) == (kind, hurt)
    assert text in str(failure)
