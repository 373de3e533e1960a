"""A frame that is being segmented has its image once."""

from __future__ import annotations

from hiseg.api.options import Options
from hiseg.core.heap import resident_bytes, return_freed_memory
from hiseg.settings import MEBI
from hiseg.transports.grpc.frame import PendingFrame
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from tests.service.transports.grpc.harness import BOX


def test_a_released_image_takes_no_memory_and_the_rest_of_the_frame_stays() -> None:
    frame = pb.Frame(sequence=7, timestamp_us=9, boxes=[BOX])
    frame.raw_frame.data = bytes(8 * MEBI)
    data = frame.SerializeToString()

    def pending(number: int) -> PendingFrame:
        return PendingFrame(number, pb.Frame.FromString(data), None, Options(), None)  # type: ignore[arg-type]

    def resident() -> int:
        return_freed_memory()
        return resident_bytes()

    before = resident()
    frames = [pending(number) for number in range(16)]
    assert resident() - before > 100 * MEBI
    for each in frames:
        each.release_image()
    assert resident() - before < 16 * MEBI
    assert all((each.message.sequence, each.message.timestamp_us) == (7, 9) and each.has_boxes for each in frames)
