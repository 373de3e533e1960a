"""``SegmentationService``: its calls, from gRPC's context to the answer or the status that a call ends with."""

from __future__ import annotations

import itertools
import time
from functools import partial
from typing import Any

import grpc
from grpc.aio import EOF, BaseError, ServicerContext

from hiseg.access.key_store import KeyStore
from hiseg.access.quota import ClientQuota, ConcurrencyLimit
from hiseg.api.answer import server_timing
from hiseg.api.exchange import Exchange
from hiseg.api.options import MAX_DEADLINE_S
from hiseg.api.outcomes import ClientDisconnected, failure_of
from hiseg.core.errors import HisegError, InvalidRequest
from hiseg.observability.logs import REQUEST_ID, RequestLogEntry, current_request_id, read_request_id, trace_id
from hiseg.observability.metrics import GONE, Metrics, outcome_of
from hiseg.observability.tracing import HEADER, read_traceparent
from hiseg.segmenter import Segmenter
from hiseg.settings import Settings
from hiseg.transports.grpc.answers import segment
from hiseg.transports.grpc.auth import TrustedProxies, authenticate
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from hiseg.transports.grpc.info import describe
from hiseg.transports.grpc.requests import parse, read_image, read_options, read_rows
from hiseg.transports.grpc.status import STATUS_NAMES, Refusal, refusal
from hiseg.transports.grpc.stream import Stream
from hiseg.transports.grpc.stream_config import read_config

SERVICE = pb.DESCRIPTOR.services_by_name["SegmentationService"].full_name
CALL, FRAME = "grpc", "grpc_stream"
"""Names of the transport in the metrics."""
COMPRESS = "hiseg-compress"
"""Metadata of a call: ``gzip`` asks for compressed answers."""
Context = ServicerContext[Any, Any]


class SegmentationServicer:
    """The calls of the service.

    Args:
        segmenter: runs the jobs.
        settings: settings of the service, for limits and defaults.
        metrics: count calls, streams and frames.
        key_store: says who calls.
    """

    def __init__(self, segmenter: Segmenter, settings: Settings, metrics: Metrics, key_store: KeyStore) -> None:
        self._exchange = Exchange(segmenter, settings, metrics)
        self._segmenter = segmenter
        self._settings = settings
        self._key_store = key_store
        self._proxies = TrustedProxies(settings.trusted_proxies)
        self._calls = ConcurrencyLimit("calls", settings.grpc_max_calls)
        self._streams = ConcurrencyLimit("streams", settings.grpc_max_streams)
        self._stream_numbers = itertools.count()

    @property
    def handlers(self) -> grpc.GenericRpcHandler:
        """The handlers of the calls, to be registered with a server.

        Requests come as bytes, so that bytes which are no request are refused and counted like any wrong request.
        """
        handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "Segment": grpc.unary_unary_rpc_method_handler(
                self.segment, request_deserializer=None, response_serializer=pb.SegmentResponse.SerializeToString
            ),
            "SegmentStream": grpc.stream_stream_rpc_method_handler(
                self.segment_stream,
                request_deserializer=None,
                response_serializer=pb.SegmentStreamResponse.SerializeToString,
            ),
            "GetInfo": grpc.unary_unary_rpc_method_handler(
                self.get_info, pb.GetInfoRequest.FromString, pb.GetInfoResponse.SerializeToString
            ),
        }
        return grpc.method_handlers_generic_handler(SERVICE, handlers)

    async def segment(self, data: bytes, context: Context) -> pb.SegmentResponse:
        """Segment the people in the boxes of one image."""
        started, entry = time.perf_counter(), self._log_entry(context)
        try:
            with (
                self._exchange.open(
                    CALL,
                    f"{SERVICE}/Segment",
                    authenticate(self._key_store, context.invocation_metadata()),
                    entry.client,
                    len(data),
                    deadline_s=self._seconds_left(context),
                    traceparent=traceparent_of(context),
                    log_entry=entry,
                ) as request,
                self._calls.acquire(request.client),
            ):
                await compress_if_asked(context)
                message = parse(pb.SegmentRequest, data, self._settings.max_boxes)
                options = read_options(message)
                request.choose_model(options)
                boxes = read_rows(message, options, self._settings.max_boxes).numbers
                image = read_image(message, self._segmenter.limits)
                del message  # it has a copy of the image
                result, response = await segment(request, image, boxes, options)
                context.set_trailing_metadata(
                    (("server-timing", server_timing(result.timings_ms)), (REQUEST_ID, current_request_id.get()))
                )
                return response
        except HisegError as error:
            entry.outcome, refused = outcome_of(failure_of(error)), refusal(error)
        finally:
            milliseconds = round((time.perf_counter() - started) * 1000, 2)
            entry.write(rpc="Segment", status=STATUS_NAMES[entry.outcome], bytes_in=len(data), ms=milliseconds)
        await context.abort(*with_request_id(refused))

    async def segment_stream(self, _: object, context: Context) -> None:
        """Segment the frames of one camera; a stream that can't begin is refused like a call."""
        started, entry = time.perf_counter(), self._log_entry(context)
        outcome, stream = GONE, None
        try:
            quota = authenticate(self._key_store, context.invocation_metadata())
            with self._streams.acquire(quota.client_id(entry.client)), self._exchange.open_stream(quota, entry):
                stream = await self._begin_stream(context, quota, entry)
                await stream.run()
                outcome = outcome_of(None)
                return
        except ClientDisconnected:
            return
        except HisegError as error:
            outcome, refused = outcome_of(failure_of(error)), refusal(error)
        finally:
            status = stream.ending.code.name if stream and stream.ending else STATUS_NAMES[outcome]
            frames, seconds = stream and dict(stream.outcomes), time.perf_counter() - started
            entry.write(rpc="SegmentStream", status=status, frames=frames, s=round(seconds, 3))
        await context.abort(*with_request_id(refused))

    async def _begin_stream(self, context: Context, quota: ClientQuota, entry: RequestLogEntry) -> Stream:
        """Read the first message of a stream.

        Raises:
            InvalidRequest: there is none, or it isn't a usable config.
            ClientDisconnected: the caller hung up.
        """
        try:
            await compress_if_asked(context)
            first = await context.read()
        except BaseError as error:
            raise ClientDisconnected from error
        if first is EOF:
            raise InvalidRequest("the stream has no message", field="config")
        config = read_config(first, self._settings)
        variant = config.options.variant or self._settings.default_variant
        entry.variant = self._segmenter.model_for(variant).ref.variant
        open_frame = partial(
            self._exchange.open,
            FRAME,
            f"{FRAME} frame",
            quota,
            entry.client,
            deadline_s=config.deadline_s,
            traceparent=traceparent_of(context),
            stream=next(self._stream_numbers),
            variant=entry.variant,
        )
        return Stream(context, config, open_frame, self._segmenter, self._settings)

    async def get_info(self, _: pb.GetInfoRequest, context: Context) -> pb.GetInfoResponse:
        """Say what is served, what can be asked for, and every limit in force."""
        return describe(self._segmenter, self._settings)

    def _log_entry(self, context: Context) -> RequestLogEntry:
        """Begin the log entry of a call, which has its id from now on."""
        metadata = [*(context.invocation_metadata() or ())]
        ids = [str(value) for key, value in metadata if key == REQUEST_ID]
        current_request_id.set(read_request_id(ids[0] if ids else ""))
        client = self._proxies.client_address(context.peer(), metadata)
        return RequestLogEntry(client=client, trace_id=trace_id(traceparent_of(context)))

    def _seconds_left(self, context: Context) -> float:
        """Seconds until the deadline of the call, or the default if it has none."""
        left: float | None = context.time_remaining()
        return self._settings.default_deadline_ms / 1000 if left is None else min(left, MAX_DEADLINE_S)


def with_request_id(refused: Refusal) -> Refusal:
    """The same refusal, with the id of the call in its trailing metadata."""
    return refused._replace(trailing=(*refused.trailing, (REQUEST_ID, current_request_id.get())))


def traceparent_of(context: Context) -> str:
    """The caller's trace context from the metadata of a call; empty if there is none."""
    texts = [value for key, value in context.invocation_metadata() or () if key == HEADER]
    return read_traceparent(str(texts[0])) if texts else ""


async def compress_if_asked(context: Context) -> None:
    """Compress the answers of a call whose metadata asks for it; called before the first answer.

    Requests may be compressed by gRPC's own means. A server is not told of that, and would compress answers for
    everybody who could read them, so answers need metadata of their own.
    """
    if (COMPRESS, "gzip") in tuple(context.invocation_metadata() or ()):
        context.set_compression(grpc.Compression.Gzip)
        # A call with one answer forgets the line above unless this is sent apart from the answer.
        await context.send_initial_metadata(())
