"""One batch through the engine: timed, learnt from, reported, and taken apart again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hiseg.batching.assembly import assemble, scatter
from hiseg.batching.backlog import WaitEstimator
from hiseg.batching.cost import CostModel
from hiseg.batching.work import Prepared, Watcher
from hiseg.core.errors import HisegError
from hiseg.engines.base import Batch, Engine, Prediction
from hiseg.observability.reports import BatchReport


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of one job in the engine.

    Attributes:
        outcome: its rows, or why there are none.
        began: when the engine took it, on the clock.
        infer_ms: milliseconds until it came back.
    """

    outcome: Prediction | Exception
    began: float
    infer_ms: float


class Dispatcher:
    """The engine's side of a batcher."""

    def __init__(
        self, engine: Engine, cost: CostModel, backlog: WaitEstimator, watcher: Watcher, clock: Callable[[], float]
    ) -> None:
        self._engine = engine
        self._cost = cost
        self._backlog = backlog
        self._watcher = watcher
        self._clock = clock
        self._unlearnt: deque[BatchReport] = deque()

    async def run(self, members: Sequence[Prepared], batch: Batch, claimed: float) -> list[Ran]:
        """One outcome per member, in their order; never raises for an engine that fails.

        Args:
            members: what ``batch`` was assembled of.
            batch: for the engine.
            claimed: milliseconds of the backlog that the members stood for.

        A batch that fails for no known reason is run again member by member, so that one that the engine can't stand
        takes no other with it.
        """
        rois = sum(len(member.rois) for member in members)
        predicted = self._cost.now.batch(len(members), rois)
        run, began = self._backlog.began(predicted, claimed), self._clock()
        prediction: Prediction | None = None
        failure: Exception | None = None
        try:
            prediction = await self._engine.infer(batch)
        except Exception as error:
            failure = error
        finally:
            self._backlog.ended(run, well=prediction is not None)
        if prediction is not None:
            infer_ms = (self._clock() - began) * 1000
            self._unlearnt.append(BatchReport(len(members), rois, predicted, run.had))
            return [Ran(part, began, infer_ms) for part in scatter(prediction, members)]
        self._watcher.failed()
        if failure is not None and (len(members) == 1 or isinstance(failure, HisegError)):
            return [Ran(failure, began, 0.0)] * len(members)
        part, counts = claimed / len(members), self._engine.roi_counts
        return [(await self.run([member], assemble([member], counts, batch.meta), part))[0] for member in members]

    def learn(self) -> None:
        """Report the batches that came back since the last time, and let the cost model learn from them."""
        while self._unlearnt:
            report = self._unlearnt.popleft()
            self._cost.observe(report.images, report.rois, report.real_ms)
            self._watcher.ran(report)
