"""``SegmentationService``: its calls, from gRPC's context to the answer or the status that a call ends with."""

from __future__ import annotations

import asyncio
import itertools
import time
from contextlib import ExitStack
from functools import partial
from typing import Any

import grpc
from grpc.aio import BaseError, ServicerContext

from hiseg.access.key_store import KeyStore
from hiseg.access.quota import ClientQuota, ConcurrencyLimit
from hiseg.api.answer import server_timing
from hiseg.api.exchange import Exchange
from hiseg.api.limits import READ_ANSWER_SECONDS, STREAM_CONFIG_SECONDS
from hiseg.api.options import MAX_DEADLINE_S, Boxes
from hiseg.api.outcomes import ClientDisconnected, failure_of
from hiseg.core.errors import HisegError, InvalidRequest, Reason, forget_frames
from hiseg.observability.logs import REQUEST_ID, RequestLogEntry, current_request_id, read_request_id, trace_id
from hiseg.observability.metrics import GONE, Metrics, outcome_of
from hiseg.observability.tracing import HEADER, read_traceparent
from hiseg.segmenter import Segmenter
from hiseg.settings import Settings
from hiseg.transports.grpc.answers import segment_to_bytes
from hiseg.transports.grpc.auth import TrustedProxies, authenticate
from hiseg.transports.grpc.call import Call, Calls, abort
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from hiseg.transports.grpc.info import describe
from hiseg.transports.grpc.requests import notes_on, parse, read_image, read_options, read_rows
from hiseg.transports.grpc.status import STATUS_NAMES
from hiseg.transports.grpc.stream import Stream
from hiseg.transports.grpc.stream_config import read_config

SERVICE = pb.DESCRIPTOR.services_by_name["SegmentationService"].full_name
CALL, FRAME = "grpc", "grpc_stream"
"""Names of the transport in the metrics."""
COMPRESS = "hiseg-compress"
"""Metadata of a call: ``gzip`` asks for compressed answers."""
COPIES = 2
"""How often an answer is in memory while it is sent: ours, and gRPC's."""
Context = ServicerContext[Any, Any]


class SegmentationServicer:
    """The calls of the service.

    Args:
        segmenter: runs the jobs.
        settings: settings of the service, for limits and defaults.
        metrics: count calls, streams and frames.
        key_store: says who calls.
        calls: opens the calls.
    """

    def __init__(
        self, segmenter: Segmenter, settings: Settings, metrics: Metrics, key_store: KeyStore, calls: Calls
    ) -> None:
        self._exchange = Exchange(segmenter, settings, metrics)
        self._segmenter = segmenter
        self._settings = settings
        self._key_store = key_store
        self._proxies = TrustedProxies(settings.trusted_proxies)
        self._calls = calls
        self._call_limit = ConcurrencyLimit("calls", settings.grpc_max_calls)
        self._stream_limit = ConcurrencyLimit("streams", settings.grpc_max_streams, Reason.TOO_MANY_STREAMS)
        self._stream_numbers = itertools.count()

    @property
    def handlers(self) -> grpc.GenericRpcHandler:
        """The handlers of the calls, to be registered with a server.

        All are handlers of streams, whatever the method takes, so that a call begins before its message is read.
        Requests come as bytes, so that bytes which are no request are refused and counted like any wrong request.
        """
        handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "Segment": grpc.stream_unary_rpc_method_handler(self.segment),
            "SegmentStream": grpc.stream_stream_rpc_method_handler(
                self.segment_stream, response_serializer=pb.SegmentStreamResponse.SerializeToString
            ),
            "GetInfo": grpc.stream_unary_rpc_method_handler(self.get_info),
        }
        return grpc.method_handlers_generic_handler(SERVICE, handlers)

    async def segment(self, _: object, context: Context) -> bytes:
        """Segment the people in the boxes of one image."""
        try:
            return await self._segment(context)
        except HisegError as error:
            refused = forget_frames(error)
        return await self._abort(context, refused)

    async def _segment(self, context: Context) -> bytes:
        """Read a call and answer it.

        Raises:
            HisegError: it is refused.
            CancelledError: the caller hung up.
        """
        started, entry, nbytes = time.perf_counter(), self._log_entry(context), 0
        try:
            with (
                self._exchange.open(
                    CALL,
                    f"{SERVICE}/Segment",
                    authenticate(self._key_store, context.invocation_metadata()),
                    entry.client,
                    deadline_s=self._seconds_left(context),
                    traceparent=traceparent_of(context),
                    log_entry=entry,
                ) as request,
                ExitStack() as held,
            ):
                held.enter_context(self._call_limit.acquire(request.client))
                call = held.enter_context(self._calls.open(context, request.client))
                await compress_if_asked(context)
                data = await call.read_only()
                nbytes = len(data)
                request.receive(nbytes)
                message = parse(pb.SegmentRequest, data, self._settings.max_boxes)
                del data
                options, notes = read_options(message), notes_on(message)
                request.choose_model(options)
                boxes: Boxes = read_rows(message, options, self._settings.max_boxes).numbers
                if not boxes and self._segmenter.finder:
                    boxes = None  # left out
                image = read_image(message, self._segmenter.limits)
                del message  # it has a copy of the image
                timings_ms, answer = await segment_to_bytes(request, image, boxes, options, notes)
                context.set_trailing_metadata(
                    (("server-timing", server_timing(timings_ms)), (REQUEST_ID, current_request_id.get()))
                )
                request.reservation.reserve(COPIES * len(answer))
                held.enter_context(request.keep_for_answer(COPIES * len(answer)))
                release_when_sent(context, call, held)
                return answer
        except HisegError as error:
            entry.outcome = outcome_of(failure_of(error))
            raise
        except ClientDisconnected as error:
            raise asyncio.CancelledError from error
        finally:
            milliseconds = round((time.perf_counter() - started) * 1000, 2)
            entry.write(rpc="Segment", status=STATUS_NAMES[entry.outcome], bytes_in=nbytes, ms=milliseconds)

    async def segment_stream(self, _: object, context: Context) -> None:
        """Segment the frames of one camera; a stream that can't begin is refused like a call."""
        started, entry = time.perf_counter(), self._log_entry(context)
        outcome, stream = GONE, None
        try:
            quota = authenticate(self._key_store, context.invocation_metadata())
            client = quota.client_id(entry.client)
            with (
                self._stream_limit.acquire(client),
                self._exchange.open_stream(quota, entry),
                self._calls.open(context, client) as call,
            ):
                stream = await self._begin_stream(context, call, quota, entry)
                await stream.run()
                outcome = outcome_of(failure_of(stream.ending))
            if isinstance(stream.ending, ClientDisconnected):
                raise stream.ending
            return
        except ClientDisconnected as error:
            raise asyncio.CancelledError from error
        except HisegError as error:
            outcome = outcome_of(failure_of(error))
            refused = error
        finally:
            frames, seconds = stream and dict(stream.outcomes), time.perf_counter() - started
            entry.write(rpc="SegmentStream", status=STATUS_NAMES[outcome], frames=frames, s=round(seconds, 3))
        await self._abort(context, refused)

    async def _begin_stream(self, context: Context, call: Call, quota: ClientQuota, entry: RequestLogEntry) -> Stream:
        """Read the first message of a stream.

        Raises:
            InvalidRequest: there is none, or it isn't a usable config.
            DeadlineExceeded: it doesn't come.
            ClientDisconnected: the caller hung up.
        """
        await compress_if_asked(context)
        first = await call.read(STREAM_CONFIG_SECONDS)
        if first is None:
            raise InvalidRequest("the stream has no message", field="config")
        config = read_config(first, self._settings)
        asked, default = config.options, self._settings.default_variant
        model = self._segmenter.choose_model(asked.model, asked.variant, default).ref
        entry.variant, entry.model, entry.precision = model.variant, model.name, model.precision
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
        check_key = partial(authenticate, self._key_store, context.invocation_metadata())
        return Stream(call, config, open_frame, check_key, self._segmenter, self._settings)

    async def get_info(self, _: object, context: Context) -> bytes:
        """Say what is served, what can be asked for, and every limit in force."""
        try:
            address = self._log_entry(context).client
            client = authenticate(self._key_store, context.invocation_metadata()).client_id(address)
            with self._exchange.reporting_bugs(), ExitStack() as held:
                held.enter_context(self._call_limit.acquire(client))
                call = held.enter_context(self._calls.open(context, client))
                await call.read_only()
                release_when_sent(context, call, held)
                return describe(self._segmenter, self._settings).SerializeToString()
        except ClientDisconnected as error:
            raise asyncio.CancelledError from error
        except HisegError as error:
            refused = error
        return await self._abort(context, refused)

    async def _abort(self, context: Context, error: HisegError) -> bytes:
        """End a call with the status of an error, unless it has ended with one while it was read."""
        if not context.done():
            await abort(context, error)
        return b""

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


def release_when_sent(context: Context, call: Call, held: ExitStack) -> None:
    """Keep what a call holds until its answer, which its handler returns next, has been sent or the caller is gone."""
    held.enter_context(call.timed_reading(READ_ANSWER_SECONDS))
    released_later = held.pop_all()

    def release(_: object) -> None:
        released_later.close()

    context.add_done_callback(release)  # type: ignore[arg-type]  # its type has no call of its own


def traceparent_of(context: Context) -> str:
    """The caller's trace context from the metadata of a call; empty if there is none."""
    texts = [value for key, value in context.invocation_metadata() or () if key == HEADER]
    return read_traceparent(str(texts[0])) if texts else ""


async def compress_if_asked(context: Context) -> None:
    """Compress the answers of a call whose metadata asks for it; called before the first answer.

    Requests may be compressed by gRPC's own means. A server is not told of that, and would compress answers for
    everybody who could read them, so answers need metadata of their own.

    Raises:
        ClientDisconnected: the caller hung up.
    """
    if (COMPRESS, "gzip") in tuple(context.invocation_metadata() or ()):
        context.set_compression(grpc.Compression.Gzip)
        try:
            # A call with one answer forgets the line above unless this is sent apart from the answer.
            await context.send_initial_metadata(())
        except BaseError as error:
            raise ClientDisconnected from error
