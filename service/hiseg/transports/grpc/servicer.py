"""``SegmentationService``: images and boxes in, masks out."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import Any

import grpc
from grpc.aio import EOF, ServicerContext

from hiseg.access.key_store import KeyStore
from hiseg.api.answer import rounded, server_timing
from hiseg.api.options import LONGEST_DEADLINE_S
from hiseg.core.errors import DeadlineExceeded, HisegError, InvalidRequest
from hiseg.observability.logs import REQUEST_ID, RequestLogEntry, current_id, read_request_id, trace_id
from hiseg.observability.metrics import BUG, GONE, Metrics, outcome_of
from hiseg.observability.tracing import HEADER, read_traceparent
from hiseg.segmenter import Segmenter
from hiseg.settings import Settings
from hiseg.transports.grpc.auth import caller_of
from hiseg.transports.grpc.compression import answer_as_asked
from hiseg.transports.grpc.concurrency_limit import ConcurrencyLimit
from hiseg.transports.grpc.desk import Desk
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from hiseg.transports.grpc.info import describe
from hiseg.transports.grpc.peer import TrustedProxies
from hiseg.transports.grpc.requests import parse, read_options, read_rows
from hiseg.transports.grpc.status import Refusal, bug, refusal, status_name
from hiseg.transports.grpc.stream import Stream
from hiseg.transports.grpc.stream_config import read_config

TRANSPORT = "grpc"
SERVICE = pb.DESCRIPTOR.services_by_name["SegmentationService"].full_name
SLACK_S = 0.01
"""A call that is cancelled so shortly before its deadline has run out of time: the caller's clock started earlier."""
Context = ServicerContext[Any, Any]


class SegmentationServicer:
    """The service's calls around a segmenter."""

    def __init__(self, segmenter: Segmenter, settings: Settings, metrics: Metrics, key_store: KeyStore) -> None:
        self._desk = Desk(segmenter, settings, metrics)
        self._segmenter = segmenter
        self._settings = settings
        self._metrics = metrics
        self._ring = key_store
        self._proxies = TrustedProxies(settings.trusted_proxies)
        self._calls = ConcurrencyLimit("calls", settings.grpc_max_calls)
        self._streams = ConcurrencyLimit("streams", settings.grpc_max_streams)
        self._numbers = itertools.count()

    @property
    def handlers(self) -> grpc.GenericRpcHandler:
        """What a server is given. Requests come as bytes, so that one that isn't a request is refused, and counted,
        like any other that is wrong."""
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
        """Masks for the people in the boxes of one image."""
        arrived = time.monotonic()
        failure: HisegError | str | None = None
        variant = ""
        note = self._note(context)
        span = self._segmenter.tracing.request(f"{SERVICE}/Segment", traceparent(context))
        note.trace_id = trace_id(span.traceparent)
        deadline = arrived + self._seconds(context)
        try:
            await answer_as_asked(context)
            caller = caller_of(self._ring, context.invocation_metadata())
            note.key = caller.name
            client = caller.client(note.client)
            caller.spend()
            with self._calls.one(), caller.one(), self._segmenter.admission.admit(client, len(data)) as place:
                self._segmenter.check_capacity(place, deadline)
                message = parse(pb.SegmentRequest, data)
                options = read_options(message)
                variant = self._desk.variant(options)
                on = read_rows(message, options).on
                job = self._desk.job(message, on, options, client, deadline, span.traceparent)
                del message  # it has a copy of the image
                result, answer = await self._desk.answer(job, place, options)
                note.people, note.timings_ms = len(result.instances), rounded(result.timings_ms)
                trailing = (("server-timing", server_timing(note.timings_ms)), (REQUEST_ID, current_id.get()))
                context.set_trailing_metadata(trailing)
                return answer
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
            seconds = time.monotonic() - arrived
            self._metrics.answered(TRANSPORT, variant, seconds, failure)
            note.variant, note.outcome = variant, outcome_of(failure)
            span.end(note.outcome)
            status = status_name(failure)
            note.write(rpc="Segment", status=status, bytes_in=len(data), ms=round(seconds * 1000, 2))
        await context.abort(*identified(refused))

    async def segment_stream(self, _: object, context: Context) -> None:
        """Masks for the frames of one camera; refused like a call if it can't begin."""
        await answer_as_asked(context)
        arrived, note = time.monotonic(), self._note(context)
        failure: HisegError | str | None = GONE
        stream: Stream | None = None
        try:
            caller = caller_of(self._ring, context.invocation_metadata())
            note.key = caller.name
            with self._streams.one(), caller.one(), self._metrics.streaming():
                self._segmenter.admission.check_open()
                first = await context.read()
                if first is EOF:
                    raise InvalidRequest("the stream has no message", field="config")
                config = read_config(first, self._settings)
                note.variant = self._desk.variant(config.options)
                client = f"{caller.client(note.client)}#{next(self._numbers)}"
                stream = Stream(self._desk, context, config, caller, client, traceparent(context))
                await stream.run()
                failure = None
                return
        except HisegError as error:
            failure = error
            refused = refusal(error)
        finally:
            status = stream.ending.code.name if stream and stream.ending else status_name(failure)
            seconds = time.monotonic() - arrived
            note.write(rpc="SegmentStream", status=status, frames=stream and dict(stream.frames), s=round(seconds, 3))
        await context.abort(*identified(refused))

    async def get_info(self, _: pb.GetInfoRequest, context: Context) -> pb.GetInfoResponse:
        """What is served, what can be asked for, and every limit in force."""
        return describe(self._segmenter, self._settings)

    def _note(self, context: Context) -> RequestLogEntry:
        """What the call's line in the log will say; from now on the call has its id."""
        metadata = [*(context.invocation_metadata() or ())]
        given = [str(value) for key, value in metadata if key == REQUEST_ID]
        current_id.set(read_request_id(given[0] if given else ""))
        client = self._proxies.caller(context.peer(), metadata)
        return RequestLogEntry(client=client, trace_id=trace_id(traceparent(context)))

    def _seconds(self, context: Context) -> float:
        """From now to the deadline."""
        left: float | None = context.time_remaining()
        return self._settings.default_deadline_ms / 1000 if left is None else min(left, LONGEST_DEADLINE_S)


def identified(refused: Refusal) -> Refusal:
    """The same with the call's id."""
    return refused._replace(trailing=(*refused.trailing, (REQUEST_ID, current_id.get())))


def traceparent(context: Context) -> str:
    """The caller's place in a trace, from its metadata."""
    texts = [value for key, value in context.invocation_metadata() or () if key == HEADER]
    return read_traceparent(str(texts[0])) if texts else ""
