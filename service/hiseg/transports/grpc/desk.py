"""What calls and frames have in common: a picture and its boxes become a job, and the job a message with masks."""

from __future__ import annotations

from collections.abc import Callable

from hiseg.api.answer import rounded
from hiseg.api.boxes import check_count
from hiseg.api.encoding import MaskFormat
from hiseg.api.options import Options
from hiseg.batching.admission import Reservation
from hiseg.core.box import Box
from hiseg.core.errors import InvalidRequest
from hiseg.core.image import ImageSource
from hiseg.core.job import Job
from hiseg.core.result import Result
from hiseg.observability.metrics import Metrics
from hiseg.segmenter import Segmenter
from hiseg.settings import Settings
from hiseg.transports.grpc.answers import to_message
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from hiseg.transports.grpc.requests import Pictured, read_picture

Boxes = Callable[[int, int], tuple[Box, ...]]
"""The boxes on an image of that width and height."""


class Desk:
    """Works for every call and stream of one server."""

    def __init__(self, segmenter: Segmenter, settings: Settings, metrics: Metrics) -> None:
        self.segmenter = segmenter
        self.settings = settings
        self.metrics = metrics

    def variant(self, options: Options) -> str:
        """Which one answers.

        Raises:
            InvalidRequest: it isn't served.
        """
        return self.segmenter.model_for(options.variant or self.settings.default_variant).ref.variant

    def label(self, options: Options) -> str:
        """The same for metrics: "" if it isn't served."""
        try:
            return self.variant(options)
        except InvalidRequest:
            return ""

    def free_in_s(self, options: Options) -> float:
        """Predicted seconds until the engine can take another batch; 0 if it can now, or the variant isn't served."""
        try:
            model = self.segmenter.model_for(options.variant or self.settings.default_variant).ref.name
        except InvalidRequest:
            return 0.0
        return self.segmenter.batchers[model].wait_estimator.next_free_ms() / 1000

    def job(
        self,
        message: Pictured,
        boxes: Boxes,
        options: Options,
        client: str,
        deadline: float,
        traceparent: str,
        latest: bool = False,
    ) -> Job:
        """What is asked for.

        Args:
            message: with the image; it isn't needed afterwards.
            boxes: on that image.
            options: what to do.
            client: who asks.
            deadline: on :func:`time.monotonic`'s clock.
            traceparent: the caller's place in a trace.
            latest: the client's next job may take its place.

        Raises:
            TooLarge: more boxes, bytes or pixels than are taken.
            UnsupportedImage: not an image type that is taken.
            UndecodableImage: with a damaged header.
            InvalidRequest: no image, a raw frame whose sizes don't fit, a bad box, or a variant that isn't served.
        """
        model = self.segmenter.model_for(options.variant or self.settings.default_variant).ref.name
        check_count(len(message.boxes), self.settings.max_boxes)
        picture = read_picture(message, self.segmenter.limits)
        placed = boxes(picture.width, picture.height)
        return options.job(
            picture,
            placed,
            model=model,
            client=client,
            deadline=deadline,
            traceparent=traceparent,
            latest=latest,
        )

    async def answer(self, job: Job, place: Reservation, options: Options) -> tuple[Result, pb.SegmentResponse]:
        """The job's result, also as a message.

        Raises:
            HisegError: what :meth:`Segmenter.segment` raises.
            Superseded: as it says there.
        """
        picture: ImageSource = job.image

        def write(result: Result) -> pb.SegmentResponse:
            return to_message(picture, result, options.mask_format, options.tolerance_px)

        quick = options.mask_format is MaskFormat.COCO_RLE
        result, message = await self.segmenter.segment(job, place, write, quick)
        timings = rounded(result.timings_ms)
        self.metrics.staged(timings, len(result.instances))
        message.timings_ms.update(timings)
        return result, message
