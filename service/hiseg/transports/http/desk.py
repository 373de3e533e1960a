"""What all ways of asking over HTTP have in common: the door, the time for the body, the job, and what is counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from fastapi import Request, Response
from starlette.requests import ClientDisconnect

from hiseg.access.quota import ClientQuota
from hiseg.api.answer import rounded
from hiseg.api.options import Options, to_job
from hiseg.batching.admission import Reservation
from hiseg.core.errors import DeadlineExceeded, HisegError
from hiseg.core.job import Job
from hiseg.core.result import ModelRef, Result
from hiseg.observability.logs import RequestLogEntry, trace_id
from hiseg.observability.metrics import BUG, GONE, Metrics, outcome_of
from hiseg.observability.tracing import HEADER, read_traceparent
from hiseg.segmenter import Segmenter
from hiseg.settings import Settings
from hiseg.transports.http.body import announced_bytes, announced_deadline, counted
from hiseg.transports.http.disconnect import ClientDisconnected, unless_gone
from hiseg.transports.http.guard import CALLER
from hiseg.transports.http.journal import NOTE

CLIENT_CLOSED_REQUEST = 499
"""nginx's status for a caller who hung up; nobody receives it."""
Q = TypeVar("Q")
T = TypeVar("T")


@dataclass(slots=True)
class Visit:
    """One request that was let in.

    Attributes:
        arrived: on :func:`time.monotonic`'s clock.
        client: who asks.
        place: where its bytes are counted.
        traceparent: its place in a distributed trace; empty: none.
        note: what its line in the log will say.
        variant: which one answers; "" until that is known.
    """

    arrived: float
    client: str
    place: Reservation
    traceparent: str
    note: RequestLogEntry
    variant: str = ""


@dataclass(frozen=True, slots=True)
class Manner:
    """How one way of asking is read, and how it says no.

    Attributes:
        name: in the metrics' label "transport".
        problem: the answer to an error of ours.
        bug: the answer to any other, while it is being handled.
    """

    name: str
    problem: Callable[[HisegError], Response]
    bug: Callable[[], Response]


class Desk:
    """Works for every route that asks for masks."""

    def __init__(self, segmenter: Segmenter, settings: Settings, metrics: Metrics) -> None:
        self.segmenter = segmenter
        self.settings = settings
        self.metrics = metrics

    async def attend(
        self,
        request: Request,
        manner: Manner,
        read: Callable[[Request], Awaitable[Q]],
        answer: Callable[[Q, Visit], Awaitable[Response]],
    ) -> Response:
        """See a request through, whatever becomes of it.

        Args:
            request: not yet read.
            manner: how it says no.
            read: reads the body; it gets ``body_timeout_seconds`` for it, and no more bytes than are taken.
            answer: does the rest; it is cancelled when the caller hangs up.
        """
        arrived = time.monotonic()
        failure: HisegError | str | None = None
        visit: Visit | None = None
        note: RequestLogEntry = request.scope[NOTE]
        caller_trace = read_traceparent(request.headers.get(HEADER, ""))
        span = self.segmenter.tracing.request(f"{request.method} {request.scope['route'].path}", caller_trace)
        note.trace_id = trace_id(span.traceparent)
        try:
            size = announced_bytes(request, self.settings.max_body_bytes)
            caller: ClientQuota = request.scope[CALLER]
            note.key = caller.name
            client = caller.client(request.client.host if request.client else "")
            caller.spend()
            with caller.one(), self.segmenter.admission.admit(client, size) as place:
                visit = Visit(arrived, client, place, span.traceparent, note)
                self.segmenter.check_capacity(place, announced_deadline(request, arrived))
                question = await self._in_time(read(counted(request, place, self.settings.max_body_bytes)))
                return await unless_gone(request.receive, answer(question, visit))
        except HisegError as error:
            failure = error
            return manner.problem(error)
        except asyncio.CancelledError:
            failure = GONE
            raise
        except (ClientDisconnected, ClientDisconnect):
            failure = GONE
            return Response(status_code=CLIENT_CLOSED_REQUEST)
        except Exception:
            failure = BUG
            return manner.bug()
        finally:
            variant = visit.variant if visit else ""
            note.variant, note.outcome = variant, outcome_of(failure)
            span.end(note.outcome)
            self.metrics.answered(manner.name, variant, time.monotonic() - arrived, failure)

    def job(
        self,
        visit: Visit,
        data: bytes,
        rows: Sequence[Sequence[float]],
        options: Options,
        model: ModelRef | None = None,
    ) -> Job:
        """What is asked for; see :func:`hiseg.api.options.to_job` for the errors.

        Args:
            visit: whose job it is.
            data: the encoded image.
            rows: boxes in the caller's form.
            options: how to read them, and what to do.
            model: which one shall answer; the options' variant says, if left out.

        Raises:
            InvalidRequest: also if the variant isn't served.
        """
        model = model or self.segmenter.model_for(options.variant or self.settings.default_variant).ref
        visit.variant = model.variant
        return to_job(
            self.segmenter,
            data,
            rows,
            options,
            model=model.name,
            client=visit.client,
            deadline=visit.arrived + (options.deadline_ms or self.settings.default_deadline_ms) / 1000,
            max_boxes=self.settings.max_boxes,
            traceparent=visit.traceparent,
        )

    async def segment(
        self, job: Job, visit: Visit, place: Reservation, write: Callable[[Result], T], quick: bool = False
    ) -> tuple[T, dict[str, float]]:
        """What ``write`` made of the result, and the milliseconds of each stage; see :meth:`Segmenter.segment`."""
        result, written = await self.segmenter.segment(job, place, write, quick)
        timings = rounded(result.timings_ms)
        self.metrics.staged(timings, len(result.instances))
        visit.note.people = (visit.note.people or 0) + len(result.instances)
        visit.note.timings_ms = timings
        return written, timings

    async def _in_time(self, reading: Awaitable[Q]) -> Q:
        limit = self.settings.body_timeout_seconds
        try:
            async with asyncio.timeout(limit):
                return await reading
        except TimeoutError as error:
            raise DeadlineExceeded(f"the body took longer than {limit:g} s", field="body", limit=limit) from error
