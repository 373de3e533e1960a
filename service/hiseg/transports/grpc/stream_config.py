"""The first message of a stream: how it shall go."""

from __future__ import annotations

from dataclasses import dataclass

from hiseg.api.options import LONGEST_DEADLINE_S, Options
from hiseg.core.errors import InvalidRequest
from hiseg.settings import Settings
from hiseg.transports.grpc.frame_queue import Policy
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from hiseg.transports.grpc.requests import parse, read_options, spelled

MOST_DEADLINE_MS = LONGEST_DEADLINE_S * 1000
FIELD = "config"
NEWEST_IN_FLIGHT = 3
"""With LATEST_ONLY: one in the engine, one ready to be the next, and one being decoded to take its place."""


@dataclass(frozen=True, slots=True)
class Config:
    """How a stream goes.

    Attributes:
        policy: what becomes of frames that can't be worked on at once.
        options: of frames that have none.
        reuse_boxes: frames without boxes have the last ones, moved.
        deadline_s: from a frame's arrival until it is worth nothing.
        in_flight: frames that are worked on, or whose masks wait to be read, at once.
        latest: a newer frame takes the place of one that still waits for the engine.
    """

    policy: Policy
    options: Options
    reuse_boxes: bool
    deadline_s: float
    in_flight: int
    latest: bool


def read_config(data: bytes, settings: Settings) -> Config:
    """What a stream's first message says.

    Raises:
        InvalidRequest: it has no config, or an unusable one.
    """
    message = parse(pb.SegmentStreamRequest, data)
    if message.WhichOneof("message") != FIELD:
        raise InvalidRequest("the first message has no config", field=FIELD)
    config = message.config
    if config.frame_deadline_ms > MOST_DEADLINE_MS:
        raise InvalidRequest(
            f"config.frame_deadline_ms is {config.frame_deadline_ms}; at most {MOST_DEADLINE_MS} is taken",
            field="config.frame_deadline_ms",
            limit=MOST_DEADLINE_MS,
            value=config.frame_deadline_ms,
        )
    number = config.policy or pb.STREAM_POLICY_WAIT
    policy = Policy(spelled(pb.StreamPolicy, number, "stream_policy", "config.policy"))
    # Boxes that are used again come from the masks of the frame before, so nothing can be begun ahead.
    latest = policy is Policy.LATEST_ONLY and not config.reuse_boxes
    in_flight = NEWEST_IN_FLIGHT if latest else settings.grpc_stream_in_flight
    return Config(
        policy,
        read_options(config.options),
        config.reuse_boxes,
        (config.frame_deadline_ms or settings.default_deadline_ms) / 1000,
        1 if config.reuse_boxes else in_flight,
        latest,
    )


def read_frame(data: bytes) -> pb.Frame:
    """What every further message has.

    Raises:
        InvalidRequest: this one hasn't, so nobody could say which frame is meant.
    """
    message = parse(pb.SegmentStreamRequest, data)
    if message.WhichOneof("message") != "frame":
        raise InvalidRequest("a message after the first has no frame", field="frame")
    return message.frame
