"""Reads the messages of a stream: the first one, which configures it, and the frames that follow."""

from __future__ import annotations

from dataclasses import dataclass

from hiseg.api.options import MAX_DEADLINE_S, Options
from hiseg.core.errors import InvalidRequest
from hiseg.core.policy import Policy
from hiseg.settings import Settings
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from hiseg.transports.grpc.requests import enum_value, notes_on, parse, read_options

MAX_DEADLINE_MS = MAX_DEADLINE_S * 1000
CONFIG_FIELD = "config"
NEWEST_IN_FLIGHT = 3
"""Frames in flight with LATEST_ONLY: one in the engine, one decoded to be next, and one being decoded to replace it."""


@dataclass(frozen=True, slots=True)
class StreamConfig:
    """The configuration of a stream.

    Attributes:
        policy: what becomes of frames that come faster than they are segmented.
        options: options of frames that have none of their own.
        reuse_boxes: frames without boxes get the boxes of the frame before, moved to where its masks found the people.
        deadline_s: seconds from a frame's arrival until its masks are of no use.
        in_flight: most frames that are segmented, or whose responses wait to be read, at once.
        latest: a newer frame takes the place of one that still waits for the engine.
        notes: what the answer to each frame shall say of the configuration.
    """

    policy: Policy
    options: Options
    reuse_boxes: bool
    deadline_s: float
    in_flight: int
    latest: bool
    notes: tuple[str, ...] = ()


def read_config(data: bytes, settings: Settings) -> StreamConfig:
    """Read the first message of a stream.

    Raises:
        InvalidRequest: it has no config, or the config has a value that isn't allowed.
    """
    message = parse(pb.SegmentStreamRequest, data, settings.max_boxes)
    if message.WhichOneof("message") != CONFIG_FIELD:
        raise InvalidRequest("the first message has no config", field=CONFIG_FIELD)
    config = message.config
    if config.frame_deadline_ms > MAX_DEADLINE_MS:
        raise InvalidRequest(
            f"config.frame_deadline_ms is {config.frame_deadline_ms}; at most {MAX_DEADLINE_MS} is taken",
            field="config.frame_deadline_ms",
            limit=MAX_DEADLINE_MS,
            value=config.frame_deadline_ms,
        )
    number = config.policy or pb.STREAM_POLICY_WAIT
    policy = Policy(enum_value(pb.StreamPolicy, number, "stream_policy", "config.policy"))
    # Boxes that are used again come from the masks of the frame before, so nothing can be begun ahead.
    latest = policy is Policy.LATEST_ONLY and not config.reuse_boxes
    in_flight = NEWEST_IN_FLIGHT if latest else settings.grpc_stream_in_flight
    return StreamConfig(
        policy,
        read_options(config.options),
        config.reuse_boxes,
        (config.frame_deadline_ms or settings.default_deadline_ms) / 1000,
        1 if config.reuse_boxes else in_flight,
        latest,
        notes_on(config) + notes_on(config.options),
    )


def read_frame(data: bytes, max_boxes: int) -> pb.Frame:
    """Read a further message of a stream.

    Raises:
        InvalidRequest: it has no frame, so no response could say which frame it belongs to.
        TooLarge: it has many more boxes, or other fields, than are taken.
    """
    message = parse(pb.SegmentStreamRequest, data, max_boxes)
    if message.WhichOneof("message") != "frame":
        raise InvalidRequest("a message after the first has no frame", field="frame")
    return message.frame
