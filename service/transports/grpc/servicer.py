"""``SegmentationService``: image and boxes in, masks out."""

from __future__ import annotations

import asyncio
import time
from urllib.parse import unquote

import grpc
from grpc.aio import ServicerContext

from service.answer import MaskFormat, rounded, server_timing
from service.batching.admission import Place
from service.boxes import check_count
from service.domain import Job, Result
from service.errors import DeadlineExceeded, HisegError
from service.options import LONGEST_DEADLINE_S, to_job
from service.segmenter import Segmenter
from service.settings import Settings
from service.telemetry import BUG, GONE, Metrics
from service.transports.grpc.answers import to_message
from service.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from service.transports.grpc.requests import parse, read_options, rows
from service.transports.grpc.status import bug, refusal

TRANSPORT = "grpc"
SERVICE = pb.DESCRIPTOR.services_by_name["SegmentationService"].full_name
SLACK_S = 0.01
"""A call that is cancelled so shortly before its deadline has run out of time: the caller's clock started earlier."""
Context = ServicerContext[bytes, pb.SegmentResponse]


class SegmentationServicer:
    """The service's calls around a segmenter."""

    def __init__(self, segmenter: Segmenter, settings: Settings, metrics: Metrics) -> None:
        self._segmenter = segmenter
        self._settings = settings
        self._metrics = metrics

    @property
    def handlers(self) -> grpc.GenericRpcHandler:
        """What a server is given. Requests come as bytes, so that one that isn't a request is refused, and counted,
        like any other that is wrong."""
        segment: grpc.RpcMethodHandler[bytes, pb.SegmentResponse] = grpc.unary_unary_rpc_method_handler(
            self.segment, request_deserializer=None, response_serializer=pb.SegmentResponse.SerializeToString
        )
        return grpc.method_handlers_generic_handler(SERVICE, {"Segment": segment})

    async def segment(self, data: bytes, context: Context) -> pb.SegmentResponse:
        """Masks for the people in the boxes of one image."""
        arrived = time.monotonic()
        failure: HisegError | str | None = None
        variant = ""
        deadline = arrived + self._seconds(context)
        try:
            client = address(context.peer())
            with self._segmenter.admission.enter(client, len(data)) as place:
                self._segmenter.check_room(client)
                message = parse(data)
                # Before they become rows: half a megabyte of empty boxes is a quarter of a million.
                check_count(len(message.boxes), self._settings.max_boxes)
                options = read_options(message)
                model = self._segmenter.model_for(options.variant or self._settings.default_variant)
                variant = model.ref.variant
                job = to_job(
                    self._segmenter,
                    message.encoded_image,
                    rows(message),
                    options,
                    model=model.ref.name,
                    client=client,
                    deadline=deadline,
                    max_boxes=self._settings.max_boxes,
                )
                del message  # it has a copy of the image
                return await self._answer(job, place, options.mask_format, context)
        except asyncio.CancelledError:
            late = time.monotonic() > deadline - SLACK_S
            failure = DeadlineExceeded("cancelled at the deadline") if late else GONE
            raise
        except HisegError as error:
            failure = error
            refused = refusal(error)
        except Exception:
            failure = BUG
            refused = bug()
        finally:
            self._metrics.answered(TRANSPORT, variant, time.monotonic() - arrived, failure)
        await context.abort(*refused)

    def _seconds(self, context: Context) -> float:
        """From now to the deadline."""
        left: float | None = context.time_remaining()
        return self._settings.default_deadline_ms / 1000 if left is None else min(left, LONGEST_DEADLINE_S)

    async def _answer(self, job: Job, place: Place, form: MaskFormat, context: Context) -> pb.SegmentResponse:
        def write(result: Result) -> pb.SegmentResponse:
            return to_message(job.picture, result, form)

        result, message = await self._segmenter.segment(job, place, write, quick=form is MaskFormat.COCO_RLE)
        timings = rounded(result.timings_ms)
        self._metrics.staged(timings, len(result.instances))
        message.timings_ms.update(timings)
        context.set_trailing_metadata((("server-timing", server_timing(timings)),))
        return message


def address(peer: str) -> str:
    """Who calls, by the name that HTTP has for them: ``ipv4:127.0.0.1:99`` -> ``127.0.0.1``."""
    kind, _, rest = peer.partition(":")
    return unquote(rest).rpartition(":")[0].strip("[]") if kind in ("ipv4", "ipv6") else peer
