"""A result as the client has it, made of the service's own."""

from __future__ import annotations

from dataclasses import dataclass

from hiseg.api.answer import round_timings
from hiseg.client import Instance, Result
from hiseg.core import result as core_result
from hiseg.core.image import ImageSource
from hiseg.core.stop import Stop
from hiseg.masks.formats.rle import coco_rle


@dataclass(frozen=True, slots=True)
class Found:
    """The people of a result, written as the client has them."""

    instances: tuple[Instance, ...]
    foreground: Instance | None


def write(_: ImageSource, result: core_result.Result, stop: Stop) -> Found:
    """Write the people of a result, in the thread that drew their masks.

    Raises:
        Exception: what :meth:`Stop.check` raises.
    """

    def one(instance: core_result.Instance) -> Instance:
        stop.check()
        counts = coco_rle(instance.mask, result.width, result.height)["counts"]
        box, size = instance.box.as_tuple(), (result.height, result.width)
        return Instance(box, float(instance.score), instance.area, counts, size, instance.found)

    foreground = None if result.foreground is None else one(result.foreground)
    return Found(tuple(map(one, result.instances)), foreground)


def to_result(result: core_result.Result, found: Found) -> Result:
    """Put the people and the rest of a result together."""
    return Result(
        width=result.width,
        height=result.height,
        notes=result.notes,
        model=result.model,
        instances=found.instances,
        foreground=found.foreground,
        foreground_source=result.foreground_source,
        finder=result.finder,
        timings_ms=round_timings(result.timings_ms),
    )
