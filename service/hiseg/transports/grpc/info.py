"""Writes the answer to ``GetInfo``: what is served, what can be asked for, and every limit in force."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from hiseg.api.limits import limits_in_force
from hiseg.api.served import models_served
from hiseg.core.version import hiseg_version
from hiseg.images.kinds import MEDIA_TYPES
from hiseg.segmenter import Segmenter
from hiseg.settings import Settings
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb


def describe(segmenter: Segmenter, settings: Settings) -> pb.GetInfoResponse:
    """The answer to ``GetInfo`` at this moment."""
    limits: dict[str, Any] = {**limits_in_force(settings)}
    limits["drain_s"], limits["message_s"] = limits["drain_seconds"], limits["body_seconds"]
    served = models_served(segmenter, settings.default_variant)
    fields = pb.Limits.DESCRIPTOR.fields_by_name
    return pb.GetInfoResponse(
        version=hiseg_version(),
        models=[pb.Model(**asdict(info.ref), outputs=info.outputs.names) for info in segmenter.models],
        default_variant=served["default_variant"],
        default_model=served["default_model"],
        foreground_model=served["foreground_model"],
        finder_model=served["finder_model"],
        model_of_variant=served["model_of_variant"],
        image_types=list(MEDIA_TYPES),
        pixel_formats=pb.PixelFormat.keys()[1:],
        policies=pb.StreamPolicy.keys()[1:],
        modes=pb.Mode.keys()[1:],
        mask_formats=pb.MaskFormat.keys()[1:],
        smoothings=pb.Smoothing.keys()[1:],
        limits=pb.Limits(**{name: limit for name, limit in limits.items() if name in fields}),
    )
