"""What every request, call and frame goes through, whatever transport it came over.

One place decides in which order the checks are made (rate of the key, concurrent requests of the key, memory, predicted
wait), measures and counts what becomes of the request, and turns an unexpected exception into an error that has an id.
A transport opens a :class:`RequestContext`, reads the request, calls :meth:`RequestContext.segment`, and maps the
:class:`HisegError` that may come out to its own status. It can't leave out a check, for there is no other way in.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from types import TracebackType
from typing import TypeVar

from hiseg.access.quota import ClientQuota
from hiseg.api.answer import round_timings
from hiseg.api.boxes import check_count
from hiseg.api.options import Boxes, FindDefaults, Options
from hiseg.api.outcomes import ClientDisconnected, failure_of, log_bug
from hiseg.batching.admission import Reservation
from hiseg.core.errors import HisegError, InternalError, Reason, TooLarge
from hiseg.core.image import ImageSource
from hiseg.core.result import ModelRef, Result
from hiseg.core.stop import Stop
from hiseg.images.encoded import EncodedImage
from hiseg.masks.memory import NOTHING, WritingCost
from hiseg.observability.logs import RequestLogEntry, trace_id
from hiseg.observability.metrics import BUG, Metrics, outcome_of
from hiseg.segmenter import Segmenter
from hiseg.settings import Settings

T = TypeVar("T")
Write = Callable[[ImageSource, Result, Stop], T]
"""Writes the answer from the image and its result, in the thread that drew the masks; it looks at the stop between its
steps."""


class Exchange:
    """Opens a request context for each request; one for all transports of a service.

    Args:
        segmenter: runs the jobs.
        settings: settings of the service: limits of requests, and defaults of those that name no model or deadline.
        metrics: count every request and every bug.
    """

    def __init__(self, segmenter: Segmenter, settings: Settings, metrics: Metrics) -> None:
        self.segmenter = segmenter
        self.settings = settings
        self.metrics = metrics

    def open(
        self,
        transport: str,
        operation: str,
        quota: ClientQuota,
        address: str,
        received_bytes: int = 0,
        *,
        announced_bytes: int = 0,
        deadline_s: float | None = None,
        traceparent: str = "",
        log_entry: RequestLogEntry | None = None,
        stream: int | None = None,
        variant: str = "",
        model: str = "",
    ) -> RequestContext:
        """Open a request that has just arrived and isn't read yet; enter the context that is returned.

        Args:
            transport: value of the label ``transport`` in the metrics.
            operation: name of the span.
            quota: quota of the caller's key.
            address: address of the caller; without a key it says whose share of the engine the request has.
            received_bytes: size of what has been received of the request by now, and is in memory.
            announced_bytes: size that the request will have, as its caller says; 0: it isn't known. It is checked, but
                it holds no memory before it has come.
            deadline_s: seconds from now until the answer is of no use; None: not known before the request is read.
            traceparent: the caller's trace context; empty: none.
            log_entry: receives what becomes known of the request.
            stream: number of the stream that the request is a frame of; None: of none. The stream itself counts as one
                of the key's concurrent requests. It has no share of its own, but takes turns with the client's others.
            variant: variant that is going to answer; empty if it isn't known yet.
            model: name of the model that is going to answer, by whose room the request is judged before it is read;
                empty if it isn't known yet.
        """
        return RequestContext(
            self,
            transport,
            operation,
            quota,
            address,
            received_bytes,
            announced_bytes,
            deadline_s,
            traceparent,
            log_entry or RequestLogEntry(),
            stream,
            variant,
            model,
        )

    @contextmanager
    def open_stream(self, quota: ClientQuota, log_entry: RequestLogEntry) -> Iterator[None]:
        """Admit a stream of frames: until the end of the block it is one of its key's concurrent requests.

        Each of its frames is opened on its own.

        Raises:
            Overloaded: too many requests of this key.
            Unavailable: starting or draining.
            InternalError: a bug.
        """
        log_entry.key = quota.name
        with self.reporting_bugs(), quota.acquire(), self.metrics.track_stream():
            self.segmenter.admission.check_open()
            yield

    @contextmanager
    def reporting_bugs(self) -> Iterator[None]:
        """Let no exception but a :class:`HisegError` leave the block: others are bugs, see :meth:`report_bug`."""
        try:
            yield
        except (HisegError, ClientDisconnected):
            raise
        except Exception as error:
            raise self.report_bug(error) from error

    def report_bug(self, error: Exception) -> InternalError:
        """Log an unexpected exception under an id and count it; return the error to answer with, which names the id."""
        self.metrics.count_bug()
        return log_bug(error)


class RequestContext:
    """One request: who asks, under which limits, by when, and what is logged and counted of it.

    Use it as a context manager. Entering it makes every check that can be made before the request is read. At the end
    of the block the outcome is determined, counted and logged, once, and what the request held is released. A
    :class:`HisegError` leaves the block as it is, and any other error as an :class:`InternalError`; cancellation,
    :class:`ClientDisconnected` and :class:`Superseded` are outcomes, not bugs.

    A frame that first waits for its turn within its stream is admitted when it arrives, and entered at its turn.

    Attributes:
        client: the client whose share of the engine the request uses.
        deadline: when the answer is of no use any more, on :func:`time.monotonic`'s clock; None: not known yet.
        reservation: the memory that the request may hold; there is none before it is admitted.
        traceparent: trace context for what is done for the request; empty: it isn't traced.
        log_entry: what will be logged of the request.
        variant: variant of the model that answers; empty until it is known.
    """

    reservation: Reservation

    def __init__(
        self,
        exchange: Exchange,
        transport: str,
        operation: str,
        quota: ClientQuota,
        address: str,
        received_bytes: int,
        announced_bytes: int,
        deadline_s: float | None,
        traceparent: str,
        log_entry: RequestLogEntry,
        stream: int | None,
        variant: str,
        model: str,
    ) -> None:
        self._exchange = exchange
        self._transport = transport
        self._quota = quota
        self._received_bytes = received_bytes
        self._announced_bytes = announced_bytes
        self._stream = stream
        self._arrived = time.monotonic()
        self._span = exchange.segmenter.tracing.start_request(operation, traceparent)
        self._held = ExitStack()
        self._is_admitted, self._is_closed = False, False
        self.client = quota.client_id(address)
        self.deadline = None if deadline_s is None else self._arrived + deadline_s
        self.traceparent = self._span.traceparent
        self.log_entry = log_entry
        log_entry.key, log_entry.trace_id = quota.name, trace_id(self.traceparent)
        self.variant = variant
        self._model = model

    def admit(self) -> None:
        """Check the size of the request, the rate and the concurrent requests of its key, and reserve its memory.

        Raises:
            TooLarge: more bytes than are taken.
            Overloaded: too many requests of this key, or the memory isn't free.
            Unavailable: starting or draining.
        """
        self._is_admitted = True
        self._check_size(max(self._received_bytes, self._announced_bytes))
        self._quota.take_token()
        if self._stream is None:
            self._held.enter_context(self._quota.acquire())
        admission = self._exchange.segmenter.admission
        self.reservation = self._held.enter_context(admission.admit(self.client, self._received_bytes))

    def __enter__(self) -> RequestContext:
        """Admit the request if it isn't yet, and refuse it if even the smallest job would have to be refused.

        Raises:
            TooLarge: more bytes than are taken.
            Overloaded: too many requests of this key, or too much work or memory waiting.
            Unavailable: starting, draining, or no engine answers.
            DeadlineExceeded: the time left is too short even for an idle engine.
            InternalError: a bug.
        """
        try:
            if not self._is_admitted:
                self.admit()
            self._exchange.segmenter.check_capacity(self.reservation, self.deadline, self._model)
        except Exception as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        answer = self.close(error)
        if answer is not None and answer is not error:
            raise answer from error

    def receive(self, nbytes: int) -> None:
        """Reserve memory for ``nbytes`` of the request that have been received so far.

        Raises:
            TooLarge: more bytes than are taken.
            Overloaded: the memory isn't free.
        """
        self._check_size(nbytes)
        self._received_bytes = max(self._received_bytes, nbytes)
        if nbytes > self.reservation.bytes:
            self.reservation.reserve(nbytes)

    def keep_for_answer(self, nbytes: int) -> Reservation:
        """Keep ``nbytes`` of memory counted for the answer while it is being sent, after the request itself has ended.

        Returns:
            A reservation that was granted in any case; its own ``with`` block gives it back.
        """
        return self._exchange.segmenter.admission.keep(self.client, nbytes)

    @contextmanager
    def reserve_image(self, nbytes: int) -> Iterator[Reservation]:
        """Reserve memory for one of several images of the request until the end of the block, after the same checks.

        Requests that were admitted are finished, so it doesn't matter whether the service has begun to drain.

        Args:
            nbytes: size of the encoded image.

        Raises:
            Overloaded: too much work or memory waiting.
            Unavailable: no engine answers.
            DeadlineExceeded: the time left is too short even for an idle engine.
        """
        segmenter = self._exchange.segmenter
        with segmenter.admission.reserve(self.client, nbytes) as reservation:
            segmenter.check_capacity(reservation, self._deadline_of(None))
            yield reservation

    def choose_model(self, options: Options) -> ModelRef:
        """The model that the options ask for by name or variant, or the default one.

        Raises:
            InvalidRequest: there is no such model or variant, or the two don't go together.
        """
        self.variant = self.log_entry.model = ""
        default = self._exchange.settings.default_variant
        model = self._exchange.segmenter.choose_model(options.model, options.variant, default).ref
        self.variant, self.log_entry.model = model.variant, model.name
        return model

    def inspect(self, image: bytes) -> EncodedImage:
        """Read the header of an encoded image; see :meth:`Segmenter.inspect`."""
        return self._exchange.segmenter.inspect(image)

    async def segment(
        self,
        image: bytes | ImageSource,
        boxes: Boxes,
        options: Options,
        write: Write[T],
        *,
        model: ModelRef | None = None,
        reservation: Reservation | None = None,
        latest: bool = False,
        cost: WritingCost = NOTHING,
        notes: tuple[str, ...] = (),
    ) -> tuple[Result, T]:
        """Segment the people in the boxes of an image, and count the stages and the people.

        Args:
            image: encoded, or a raw frame.
            boxes: boxes of the people; see :data:`Boxes`.
            options: what to do.
            write: writes the answer.
            model: the model that is asked for; None: the one that the options name.
            reservation: the image's own reservation, if the request has several images; None: that of the request.
            latest: a newer frame of the stream may take this one's place.
            cost: what ``write`` takes of memory; see :func:`hiseg.api.encoding.writing_cost`.
            notes: what the answer shall say of the request, beside what there is to say of its image and boxes.

        Returns:
            The result, with its timings rounded to microseconds, and what ``write`` returned.

        Raises:
            HisegError: the image, the boxes or the model are invalid, or what :meth:`Segmenter.segment` raises.
            Superseded: a newer frame took this one's place.
        """
        model = model or self.choose_model(options)
        self.variant, self.log_entry.model = model.variant, model.name
        segmenter, settings = self._exchange.segmenter, self._exchange.settings
        if boxes is not None and not callable(boxes):
            check_count(len(boxes), settings.max_boxes)
        job = options.to_job(
            image,
            boxes,
            segmenter.limits,
            model.name,
            client=self.client,
            deadline=self._deadline_of(options),
            stream=self._stream,
            latest=latest,
            traceparent=self.traceparent,
            notes=notes,
            finding=FindDefaults(settings.find_threshold, settings.max_boxes) if segmenter.finder else None,
        )
        # Everybody at once may come from a model without masks.
        answering = segmenter.choose_graph(job.model, job.mode, bool(job.boxes))[0].ref
        self.variant, self.log_entry.model = answering.variant, answering.name
        result, written = await segmenter.segment(job, reservation or self.reservation, partial(write, job.image), cost)
        timings = round_timings(result.timings_ms)
        result.timings_ms.update(timings)
        people = len(result.people)
        self._exchange.metrics.observe_stages(timings, people)
        self.log_entry.people = (self.log_entry.people or 0) + people
        self.log_entry.timings_ms = timings
        self.log_entry.precision = result.model.precision
        return result, written

    def close(self, error: BaseException | None = None) -> HisegError | None:
        """End the request: count and log its outcome and release what it holds. A second call does nothing.

        Args:
            error: what ended the request; None: it was answered.

        Returns:
            The error to answer with: ``error`` itself, or an :class:`InternalError` if it is a bug; None: there is no
            error, or nobody to answer.
        """
        if self._is_closed:
            return None
        self._is_closed = True
        self._held.close()
        failure = failure_of(error, self.deadline)
        self.log_entry.variant, self.log_entry.outcome = self.variant, outcome_of(failure)
        self._span.end(self.log_entry.outcome)
        self._exchange.metrics.count_request(self._transport, self.variant, time.monotonic() - self._arrived, failure)
        if isinstance(error, Exception) and failure == BUG:
            return error if isinstance(error, InternalError) else log_bug(error)
        return error if isinstance(error, HisegError) else None

    def _deadline_of(self, options: Options | None) -> float:
        if options and options.deadline_ms:
            return self._arrived + options.deadline_ms / 1000
        if self.deadline is not None:
            return self.deadline
        return self._arrived + self._exchange.settings.default_deadline_ms / 1000

    def _check_size(self, nbytes: int) -> None:
        limit = self._exchange.settings.max_body_bytes
        if nbytes > limit:
            raise TooLarge(
                f"the body has {nbytes} bytes or more; at most {limit} are taken",
                reason=Reason.TOO_MANY_BYTES,
                field="body",
                limit=limit,
                value=nbytes,
            )
