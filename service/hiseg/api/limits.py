"""Every limit in force that callers are told of, in one list which all transports show.

What one transport alone enforces stands in it too: a caller may choose the transport by its limits.
"""

from __future__ import annotations

import resource

from hiseg.api.json_reader import limits_of_options
from hiseg.batching.workers import largest_work_bytes
from hiseg.core.job import MAX_DILATION_PX, MAX_TOLERANCE_PX
from hiseg.images.colours.profile import MAX_PROFILE_BYTES
from hiseg.images.limits import MAX_FRAMES, MAX_PARTS, MAX_SCANS, MAX_SIDE
from hiseg.masks.draw import MAX_MASK_PIXELS
from hiseg.masks.formats.cutout import MAX_CUTOUT_PIXELS
from hiseg.settings import Settings

MAX_UNANSWERED_FRAMES = 256
"""Most frames of a stream that were read and whose responses aren't written yet; then no more are read."""

STREAM_CONFIG_SECONDS = 10.0
"""Longest time from the beginning of a stream to its first message."""
STREAM_IDLE_SECONDS = 600.0
"""Longest time between two frames of a stream, and longest time in which nothing of its responses is read."""
READ_ANSWER_SECONDS = 20.0
"""Time in which :data:`READ_ANSWER_BYTES` of an answer that waits for its caller must have been read."""
READ_ANSWER_BYTES = 320 * 1024
MAX_GRPC_CONNECTIONS = 1024
"""Most gRPC connections that are open at once; fewer where the process may open few files."""

MAX_CONNECTIONS = 1024
"""Most HTTP connections that are open at once; fewer where the process may open few files."""
MAX_HEAD_BYTES = 32 * 1024
"""Most bytes of an HTTP request before its body: the URL and all headers."""
MAX_HEADERS = 100
"""Most headers of an HTTP request."""
HEAD_SECONDS = 10.0
"""Longest time that they may take to arrive, from the first byte or, at first, from the connection on."""
MAX_QUERY_PARAMETERS = 150
"""Most parameters in the query of an HTTP request; a hundred boxes may be one each."""
MIN_BODY_BYTES_PER_S = 4096
"""Least bytes a second, on average, of the body of an HTTP request after :data:`BODY_GRACE_SECONDS`."""
BODY_GRACE_SECONDS = 5.0


def max_connections() -> int:
    """:data:`MAX_CONNECTIONS`, or half of the files that the process may open if those are fewer.

    The rest is for gRPC, Triton, the models and the key file.
    """
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_CONNECTIONS if files == resource.RLIM_INFINITY else min(MAX_CONNECTIONS, files // 2)


def max_grpc_connections() -> int:
    """:data:`MAX_GRPC_CONNECTIONS`, or a quarter of the files that the process may open if those are fewer."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_GRPC_CONNECTIONS if files == resource.RLIM_INFINITY else min(MAX_GRPC_CONNECTIONS, files // 4)


def limits_in_force(settings: Settings) -> dict[str, float]:
    """The limits by name; the unit is the end of the name where it isn't a plain number."""
    return {
        "image_bytes": settings.max_image_bytes,
        "image_pixels": settings.max_image_pixels,
        "image_side_px": MAX_SIDE,
        "image_parts": MAX_PARTS,
        "image_scans": MAX_SCANS,
        "image_frames": MAX_FRAMES,
        "image_profile_bytes": MAX_PROFILE_BYTES,
        "body_bytes": settings.max_body_bytes,
        "json_bytes": limits_of_options(settings.max_boxes).max_bytes,
        "message_bytes": settings.max_message_bytes,
        "answer_bytes": settings.max_answer_bytes,
        "boxes": settings.max_boxes,
        "dilation_px": MAX_DILATION_PX,
        "tolerance_px": MAX_TOLERANCE_PX,
        "mask_pixels": MAX_MASK_PIXELS,
        "cutout_pixels": MAX_CUTOUT_PIXELS,
        "held_bytes": settings.max_held_bytes,
        "work_bytes": largest_work_bytes(settings.max_held_bytes),
        "wait_ms": settings.max_wait_ms,
        "batch_budget_ms": settings.batch_budget_ms,
        "batch_images": settings.max_batch_images,
        "batch_boxes": settings.max_batch_boxes,
        "batch_bytes": settings.max_batch_bytes,
        "connections": max_connections(),
        "head_bytes": MAX_HEAD_BYTES,
        "headers": MAX_HEADERS,
        "head_seconds": HEAD_SECONDS,
        "query_parameters": MAX_QUERY_PARAMETERS,
        "body_seconds": settings.body_timeout_seconds,
        "body_bytes_per_s": MIN_BODY_BYTES_PER_S,
        "drain_seconds": settings.drain_seconds,
        "default_deadline_ms": settings.default_deadline_ms,
        "calls": settings.grpc_max_calls,
        "streams": settings.grpc_max_streams,
        "stream_queue": settings.grpc_stream_queue,
        "stream_in_flight": settings.grpc_stream_in_flight,
        "stream_unanswered": MAX_UNANSWERED_FRAMES,
        "stream_config_s": STREAM_CONFIG_SECONDS,
        "stream_idle_s": STREAM_IDLE_SECONDS,
        "grpc_connections": max_grpc_connections(),
        "ping_interval_s": settings.grpc_min_ping_interval_seconds,
    }
