"""Every limit in force that callers are told of, in one list which all transports show.

What one transport alone enforces stands in it too: a caller may choose the transport by its limits.
"""

from __future__ import annotations

from hiseg.api.options import MAX_DILATION_PX
from hiseg.masks.draw import MAX_MASK_PIXELS
from hiseg.masks.formats.cutout import MAX_CUTOUT_PIXELS
from hiseg.masks.formats.polygon import MAX_TOLERANCE_PX
from hiseg.settings import Settings

MAX_UNANSWERED_FRAMES = 256
"""Most frames of a stream that were read and whose responses aren't written yet; then no more are read."""


def limits_in_force(settings: Settings) -> dict[str, float]:
    """The limits by name; the unit is the end of the name where it isn't a plain number."""
    return {
        "image_bytes": settings.max_image_bytes,
        "image_pixels": settings.max_image_pixels,
        "body_bytes": settings.max_body_bytes,
        "message_bytes": settings.max_message_bytes,
        "answer_bytes": settings.max_answer_bytes,
        "boxes": settings.max_boxes,
        "dilation_px": MAX_DILATION_PX,
        "tolerance_px": MAX_TOLERANCE_PX,
        "mask_pixels": MAX_MASK_PIXELS,
        "cutout_pixels": MAX_CUTOUT_PIXELS,
        "held_bytes": settings.max_held_bytes,
        "wait_ms": settings.max_wait_ms,
        "batch_budget_ms": settings.batch_budget_ms,
        "batch_images": settings.max_batch_images,
        "batch_boxes": settings.max_batch_boxes,
        "batch_bytes": settings.max_batch_bytes,
        "body_seconds": settings.body_timeout_seconds,
        "drain_seconds": settings.drain_seconds,
        "default_deadline_ms": settings.default_deadline_ms,
        "calls": settings.grpc_max_calls,
        "streams": settings.grpc_max_streams,
        "stream_queue": settings.grpc_stream_queue,
        "stream_in_flight": settings.grpc_stream_in_flight,
        "stream_unanswered": MAX_UNANSWERED_FRAMES,
        "ping_interval_s": settings.grpc_min_ping_interval_seconds,
    }
