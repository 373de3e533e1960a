"""The first message of a stream: how it shall go."""

from __future__ import annotations

from dataclasses import dataclass

from service.errors import InvalidRequest
from service.options import LONGEST_DEADLINE_S, Options
from service.settings import Settings
from service.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from service.transports.grpc.line import Policy
from service.transports.grpc.requests import parse, read_options, spelled

MOST_DEADLINE_MS = LONGEST_DEADLINE_S * 1000
FIELD = "config"


@dataclass(frozen=True, slots=True)
class Config:
    """How a stream goes.

    Attributes:
        policy: what becomes of frames that can't be worked on at once.
        options: of frames that have none.
        reuse_boxes: frames without boxes have the last ones, moved.
        deadline_s: from a frame's arrival until it is worth nothing.
        in_flight: frames that are worked on, or whose masks wait to be read, at once.
    """

    policy: Policy
    options: Options
    reuse_boxes: bool
    deadline_s: float
    in_flight: int


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
    one_by_one = config.reuse_boxes or policy is Policy.LATEST_ONLY
    return Config(
        policy,
        read_options(config.options),
        config.reuse_boxes,
        (config.frame_deadline_ms or settings.default_deadline_ms) / 1000,
        1 if one_by_one else settings.grpc_stream_in_flight,
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
