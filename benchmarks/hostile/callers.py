"""Attacks on who one is: many streams of one caller, wrong keys, too many keys, keys that come and go."""

from __future__ import annotations

import http.client
import queue
import threading
import time
from collections import Counter
from collections.abc import Iterator

import grpc

from benchmarks.harness.paths import SAMPLE
from benchmarks.hostile.kind import Attack, Facts, Kind, Target, repeat
from benchmarks.hostile.service import KEYS_FILE, key_lines
from benchmarks.hostile.wire import ATTACKER, HOST, PATIENCE_S, connect, head
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2_grpc as pb_grpc

FEW, MANY = 8, 72
"""Streams of the two callers; the few have always frames that wait."""
FAIR_SHARE = 0.35
"""Least share of frames of the one with few streams. Half would be exact; but only two frames of a stream are in
progress at once, and with fewer streams (of three: a quarter) not always one of them waits."""
CONFIG = pb.SegmentStreamRequest(config=pb.StreamConfig())


def frames() -> Iterator[pb.SegmentStreamRequest]:
    """The configuration, then the sample photo as often as it is asked for."""
    yield CONFIG
    frame = pb.Frame(encoded_image=SAMPLE.read_bytes(), boxes=[pb.Box(x1=22, y1=15, x2=365, y2=512)])
    while True:
        yield pb.SegmentStreamRequest(frame=frame)


def many_streams(target: Target) -> Attack:
    """Nine times as many busy streams of one key as of another: both should get every second turn."""

    def attack(until: float) -> Facts:
        turns: Counter[str] = Counter()

        def stream(key: str) -> None:
            # A channel of its own for each: they would share a connection.
            options = [("grpc.use_local_subchannel_pool", 1)]
            with grpc.insecure_channel(f"{HOST}:{target.grpc}", options) as channel:
                stub = pb_grpc.SegmentationServiceStub(channel)  # type: ignore[no-untyped-call]
                try:
                    for answer in stub.SegmentStream(frames(), metadata=[("x-api-key", key)]):
                        if answer.WhichOneof("outcome") == "result":
                            turns[key] += 1
                        if time.monotonic() > until:
                            return
                except grpc.RpcError:
                    return

        keys = [target.key] * MANY + [target.good_key] * FEW
        threads = [threading.Thread(target=stream, args=(key,), daemon=True) for key in keys]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.1, until + 2 - time.monotonic()))
        one, all_turns = turns[target.good_key], turns.total()
        facts: Facts = {"turns": all_turns, "of the one with few": one}
        if one < FAIR_SHARE * all_turns:
            facts["broken"] = f"{FEW} streams had {one} of {all_turns} turns beside {MANY} of another caller"
        return facts

    return attack


def wrong_keys(target: Target) -> Attack:
    """Requests with keys that nobody has, as fast as they are answered."""
    connections = threading.local()

    def once() -> str:
        if not hasattr(connections, "it"):
            connections.it = http.client.HTTPConnection(
                HOST, target.http, timeout=PATIENCE_S, source_address=(ATTACKER, 0)
            )
        try:
            connections.it.request("GET", "/v1/info", headers={"x-api-key": str(time.monotonic_ns())})
            answer = connections.it.getresponse()
            answer.read()
            return str(answer.status)
        except (OSError, http.client.HTTPException) as error:
            connections.it.close()
            return type(error).__name__

    return repeat(once, callers=8, pause=0.0)


def many_keys(target: Target) -> Attack:
    """Requests with three thousand wrong keys each."""
    request = head("/v1/segment?boxes=", 10, more=[f"X-API-Key: {number:08x}" for number in range(3000)])

    def once() -> str:
        with connect(target.http) as connection:
            try:
                connection.sendall(request)
                return connection.recv(100)[9:12].decode() or "closed"
            except OSError as error:
                return type(error).__name__

    return repeat(once, callers=4, pause=0.05)


def rewritten_keys(target: Target) -> Attack:
    """The file of keys is written again and again in place, line by line."""
    file = target.folder / KEYS_FILE
    lines = file.read_text().splitlines(keepends=True)

    def attack(until: float) -> Facts:
        written = 0
        while time.monotonic() < until:
            with file.open("w") as opened:
                for line in lines[-40:]:
                    opened.write(line)
                    opened.flush()
                    time.sleep(0.02)
            written += 1
            time.sleep(0.3)
        return {"times written": written}

    return attack


def removed_key(target: Target) -> Attack:
    """A stream goes on after its key was taken out of the file."""
    file = target.folder / KEYS_FILE

    def attack(until: float) -> Facts:
        sent: queue.Queue[pb.SegmentStreamRequest | None] = queue.Queue()
        sent.put(CONFIG)
        with grpc.insecure_channel(f"{HOST}:{target.grpc}") as channel:
            stub = pb_grpc.SegmentationServiceStub(channel)  # type: ignore[no-untyped-call]
            answers = stub.SegmentStream(iter(sent.get, None), metadata=[("x-api-key", target.key)])
            wanted = frames()
            next(wanted)
            removed_at, answered_after = 0.0, 0.0
            try:
                while time.monotonic() < until:
                    sent.put(next(wanted))
                    next(answers)
                    if not removed_at:
                        file.write_text("".join(key_lines(target.good_key)))
                        removed_at = time.monotonic()
                    answered_after = time.monotonic() - removed_at
                    time.sleep(0.1)
            except grpc.RpcError as error:
                code = error.code().name if isinstance(error, grpc.Call) else "?"
                return {"ended with": code, "seconds after": round(answered_after, 1)}
            sent.put(None)
            return {"broken": f"a stream was answered {answered_after:.0f} s after its key was taken out"}

    return attack


KINDS = (
    Kind("many-streams", "72 busy streams of one key beside eight of another", many_streams, keys=True),
    Kind("wrong-keys", "eight callers with wrong keys, without a pause", wrong_keys, keys=True),
    Kind("many-keys", "3,000 wrong keys in each request", many_keys, keys=True),
    Kind("keys-rewritten", "the file of keys is rewritten in place all the time", rewritten_keys, keys=True),
    Kind("key-removed", "a stream whose key is taken out", removed_key, keys=True),
)
