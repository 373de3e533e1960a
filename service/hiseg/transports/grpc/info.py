"""What ``GetInfo`` says: ``/v1/info`` in typed form, and what only gRPC has."""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version

from hiseg.api.options import MOST_DILATION_PX
from hiseg.images.encoded import MEDIA_TYPES
from hiseg.masks.draw import MOST_MASK_PIXELS
from hiseg.masks.formats.cutout import MAX_CUTOUT_PIXELS
from hiseg.masks.formats.polygon import MOST_TOLERANCE_PX
from hiseg.segmenter import Segmenter
from hiseg.settings import Settings
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from hiseg.transports.grpc.stream import MOST_UNANSWERED


def describe(segmenter: Segmenter, settings: Settings) -> pb.GetInfoResponse:
    """What is served now, what can be asked for, and every limit in force."""
    return pb.GetInfoResponse(
        version=version("hiseg"),
        models=[pb.Model(**asdict(info.ref)) for info in segmenter.models],
        default_variant=settings.default_variant,
        image_types=list(MEDIA_TYPES),
        pixel_formats=pb.PixelFormat.keys()[1:],
        policies=pb.StreamPolicy.keys()[1:],
        modes=pb.Mode.keys()[1:],
        mask_formats=pb.MaskFormat.keys()[1:],
        smoothings=pb.Smoothing.keys()[1:],
        limits=pb.Limits(
            image_bytes=settings.max_image_bytes,
            image_pixels=settings.max_image_pixels,
            boxes=settings.max_boxes,
            message_bytes=settings.max_message_bytes,
            answer_bytes=settings.max_answer_bytes,
            held_bytes=settings.max_held_bytes,
            wait_ms=settings.max_wait_ms,
            default_deadline_ms=settings.default_deadline_ms,
            calls=settings.grpc_max_calls,
            streams=settings.grpc_max_streams,
            stream_queue=settings.grpc_stream_queue,
            stream_in_flight=settings.grpc_stream_in_flight,
            stream_unanswered=MOST_UNANSWERED,
            ping_interval_s=settings.grpc_min_ping_interval_seconds,
            drain_s=settings.drain_seconds,
            batch_budget_ms=settings.batch_budget_ms,
            batch_images=settings.max_batch_images,
            batch_boxes=settings.max_batch_boxes,
            batch_bytes=settings.max_batch_bytes,
            dilation_px=MOST_DILATION_PX,
            tolerance_px=MOST_TOLERANCE_PX,
            cutout_pixels=MAX_CUTOUT_PIXELS,
            mask_pixels=MOST_MASK_PIXELS,
        ),
    )
