"""Error messages of Triton are classified. The other tests here show that the real server sends these messages."""

from __future__ import annotations

import pytest
from tritonclient.utils import InferenceServerException

from hiseg.engines.triton.failures import FailureKind, classify

UNHEALTHY = "Failed to process the request(s), message: Stub process 'b0_0' is not healthy."


@pytest.mark.parametrize(
    ("status", "text", "kind", "suspect"),
    [
        (
            "UNAVAILABLE",
            "failed to connect to all addresses; last error: Connection refused",
            FailureKind.UNAVAILABLE,
            False,
        ),
        ("UNAVAILABLE", "Socket closed", FailureKind.UNAVAILABLE, True),
        ("UNAVAILABLE", "recvmsg:Connection reset by peer", FailureKind.UNAVAILABLE, True),
        ("UNAVAILABLE", "Exceeds maximum queue size", FailureKind.QUEUE_FULL, False),
        ("UNAVAILABLE", "Request timeout expired", FailureKind.QUEUE_FULL, False),
        ("RESOURCE_EXHAUSTED", "too much", FailureKind.QUEUE_FULL, False),
        ("NOT_FOUND", "Request for unknown model: 'b0' has no available versions", FailureKind.UNAVAILABLE, False),
        ("INVALID_ARGUMENT", "Unable to find shared memory region: 'x'", FailureKind.UNAVAILABLE, False),
        ("INTERNAL", UNHEALTHY, FailureKind.UNHEALTHY, True),
        ("INTERNAL", "Received RST_STREAM with error code 2", FailureKind.UNAVAILABLE, True),
        ("INTERNAL", "onnx runtime error: the shapes don't fit", FailureKind.MODEL_ERROR, False),
        ("INVALID_ARGUMENT", "unexpected shape for input 'rois'", FailureKind.MODEL_ERROR, False),
        ("DEADLINE_EXCEEDED", "Deadline Exceeded", FailureKind.TIMED_OUT, False),
    ],
)
def test_each_server_message_has_its_failure_kind(status: str, text: str, kind: FailureKind, suspect: bool) -> None:
    failure = classify(InferenceServerException(text, f"StatusCode.{status}"))
    assert (failure.kind, failure.suspect) == (kind, suspect)
    assert text in str(failure)
