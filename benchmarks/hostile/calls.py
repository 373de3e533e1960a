"""Attacks over gRPC: messages that don't end, answers that aren't read, calls and streams without number."""

from __future__ import annotations

import struct
import time

from grpc_reflection.v1alpha import reflection_pb2

from benchmarks.harness.paths import SAMPLE
from benchmarks.hostile import images
from benchmarks.hostile.http2 import ACK, PING, SETTINGS, Http2, frame, grpc_message, pump_all
from benchmarks.hostile.kind import Attack, Facts, Kind, Target
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb

SERVICE = "/hiseg.v1.SegmentationService"
SEGMENT, STREAM = f"{SERVICE}/Segment", f"{SERVICE}/SegmentStream"
WATCH = "/grpc.health.v1.Health/Watch"
REFLECT = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
MEBI = 1 << 20
CONFIG = grpc_message(pb.SegmentStreamRequest(config=pb.StreamConfig()).SerializeToString())


def ended(connections: list[Http2], streams: int) -> Facts:
    """How many calls were begun, and how many of them the service has ended."""
    gone = sum(streams if connection.closed else len(connection.ended) for connection in connections)
    return {"calls": streams * len(connections), "ended by the service": min(gone, streams * len(connections))}


def half_messages(target: Target) -> Attack:
    """Calls whose message of 20 MiB lacks its last byte."""
    size = 20 * MEBI
    piece = b"\x0a" + b"a" * MEBI

    def attack(until: float) -> Facts:
        connection = Http2(target)
        left = {connection.open(SEGMENT, target.key): size - 1 for _ in range(60)}
        for stream in left:
            connection.send(stream, grpc_message(b"", size))
        while time.monotonic() < until and not connection.closed:
            for stream in left:
                if left[stream] and stream not in connection.ended:
                    left[stream] -= connection.send(stream, piece[: left[stream]])
            connection.pump(0.01)
        sent = sum(size - 1 - count for count in left.values())
        return ended([connection], 60) | {"MiB sent": sent // MEBI}

    return attack


def half_frames(target: Target) -> Attack:
    """Streams whose first frame of 4 MiB lacks its end."""
    size = 4 * MEBI
    piece = b"\x0a" + b"a" * (MEBI // 4)

    def attack(until: float) -> Facts:
        connections = [Http2(target) for _ in range(4)]
        left: list[dict[int, int]] = []
        for connection in connections:
            streams = [connection.open(STREAM, target.key) for _ in range(64)]
            left.append(dict.fromkeys(streams, size - 1))
            for stream in streams:
                connection.send(stream, CONFIG + grpc_message(b"", size))
        while time.monotonic() < until:
            for connection, missing in zip(connections, left, strict=True):
                for stream in missing:
                    if missing[stream] and stream not in connection.ended:
                        missing[stream] -= connection.send(stream, piece[: missing[stream]])
                connection.pump(0.01)
        return ended(connections, 64)

    return attack


def unread_answers(target: Target) -> Attack:
    """Pictures of 18 MB, of which 64 KiB are read."""
    request = pb.SegmentRequest(
        encoded_image=images.noise(3000, 2250),
        boxes=[pb.Box(x1=1, y1=1, x2=9, y2=9)],
        mask_format=pb.MASK_FORMAT_OVERLAY,
    )
    message = grpc_message(request.SerializeToString())

    def attack(until: float) -> Facts:
        connection = Http2(target, window=1 << 24)
        count = 0
        while time.monotonic() < until and not connection.closed:
            stream = connection.open(SEGMENT, target.key)
            connection.send_all(stream, message, until)
            connection.end(stream)
            connection.pump(0.4)
            count += 1
        return ended([connection], count) | {"begun answers": len(connection.received)}

    return attack


def idle_streams(target: Target) -> Attack:
    """Streams up to the limit without a message, or with the configuration alone."""

    def attack(until: float) -> Facts:
        connections = [Http2(target) for _ in range(4)]
        for number, connection in enumerate(connections):
            for _ in range(80):
                stream = connection.open(STREAM, target.key)
                if number % 2:
                    connection.send(stream, CONFIG)
            connection.pump(0.2)
        pump_all(connections, until)
        return ended(connections, 80)

    return attack


def watchers(target: Target) -> Attack:
    """Ten thousand watchers of the health, which need no key."""

    def attack(until: float) -> Facts:
        connections = [Http2(target) for _ in range(5)]
        for connection in connections:
            for _ in range(2000):
                stream = connection.open(WATCH)
                connection.send(stream, grpc_message(b""))
                connection.end(stream)
            connection.pump(0.1)
        pump_all(connections, until)
        return ended(connections, 2000)

    return attack


def reflection(target: Target) -> Attack:
    """Questions about the schema without end, on a hundred calls."""
    wanted = [
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="hiseg.v1.SegmentationService"),
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_by_filename="x" * 60_000),
    ]
    questions = b"".join(grpc_message(question.SerializeToString()) for question in wanted)

    def attack(until: float) -> Facts:
        connection = Http2(target, stream_window=MEBI)
        streams = [connection.open(REFLECT, target.key) for _ in range(100)]
        while time.monotonic() < until and not connection.closed:
            for stream in streams:
                connection.send(stream, questions)
            connection.pump(0.05)
        return ended([connection], 100)

    return attack


def box_lists(target: Target) -> Attack:
    """Messages of 19 MB that are all boxes, or all names that nobody knows."""
    box = pb.SegmentRequest(boxes=[pb.Box(x1=1, y1=1, x2=2, y2=2)]).SerializeToString()
    empty = pb.SegmentRequest(boxes=[pb.Box()]).SerializeToString()
    unknown = bytes([0xF8, 0x7F, 1])
    photo = pb.SegmentRequest(encoded_image=SAMPLE.read_bytes()).SerializeToString()
    size = 19_000_000
    messages = [grpc_message(photo + piece * (size // len(piece))) for piece in (box, empty, unknown)]

    def attack(until: float) -> Facts:
        connection = Http2(target)
        count = 0
        while time.monotonic() < until and not connection.closed:
            stream = connection.open(SEGMENT, target.key)
            connection.send_all(stream, messages[count % len(messages)], until)
            connection.end(stream)
            while stream not in connection.ended and not connection.closed and time.monotonic() < until:
                connection.pump(0.05)
            count += 1
        return {"calls": count}

    return attack


def resets(target: Target) -> Attack:
    """Calls that are given up at once, and frames that only want to be acknowledged."""

    def attack(until: float) -> Facts:
        connections = [Http2(target) for _ in range(2)]
        calls = 0
        while time.monotonic() < until:
            for number, connection in enumerate(connections):
                if connection.closed:
                    connections[number] = Http2(target)
                for _ in range(100):
                    connection.reset(connection.open(SEGMENT, target.key))
                connection.raw(frame(SETTINGS, 0, 0, struct.pack(">HI", 3, 100)) * 20)
                connection.raw(frame(PING, ACK, 0, bytes(8)))
                connection.pump(0.05)
                calls += 100
        return {"calls": calls}

    return attack


def metadata(target: Target) -> Attack:
    """Calls with as much metadata as gRPC takes, and more."""
    many = [(f"a{number}", "b" * 20) for number in range(200)]
    long = [("a", "b" * 7_000)]
    too_long = [(f"a{number}", "b" * 3_000) for number in range(5)]

    def attack(until: float) -> Facts:
        connection, calls = Http2(target), 0
        while time.monotonic() < until:
            if connection.closed:
                connection = Http2(target)
            for more in (many, long, too_long):
                connection.end(connection.open(SEGMENT, target.key, more))
                calls += 1
            connection.pump(0.02)
        return {"calls": calls}

    return attack


KINDS = (
    Kind("grpc-half-messages", "60 calls with messages of 20 MiB that lack a byte", half_messages),
    Kind("grpc-half-frames", "256 streams with frames of 4 MiB that lack a byte", half_frames),
    Kind("grpc-unread-answers", "pictures of 18 MB of which 64 KiB are read", unread_answers, seconds=12),
    Kind("grpc-idle-streams", "320 streams without a frame", idle_streams),
    Kind("grpc-watchers", "10,000 watchers of the health", watchers, seconds=10),
    Kind("grpc-reflection", "questions about the schema without end, on 100 calls", reflection),
    Kind("grpc-box-lists", "messages of 19 MB: a million boxes, or unknown fields", box_lists),
    Kind("grpc-resets", "4,000 calls a second that are given up at once", resets),
    Kind("grpc-metadata", "calls with as much metadata as gRPC takes, and more", metadata),
)
