"""A session gives what a service gives, pixel by pixel and word by word, to any thread and on any event loop."""

from __future__ import annotations

import asyncio
import gc
import io
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import PIL.Image
import pytest

from benchmarks.harness.paths import PUBLISHED, SAMPLE, SAMPLE_BOXES
from benchmarks.harness.repository import REPOSITORY
from benchmarks.harness.serving import Server
from hiseg import Client, ClientError, RawFrame, Result, Session, SessionError
from hiseg.client.images import ImageLike
from hiseg.core.errors import InvalidRequest
from tests.service.images.files import encoded, exif

BOX = [[100, 20, 250.5, 480]]
IMAGE = SAMPLE.read_bytes()
STAGES = {"decode", "queue", "infer", "masks", "encode"}


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with Session(repository=REPOSITORY) as made:
        yield made


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[Client]:
    with Client(server.url, retries=0) as made:
        yield made


@pytest.fixture(scope="module")
def over_grpc(server: Server) -> Iterator[Client]:
    with Client(server.grpc, retries=0) as made:
        yield made


def pixels() -> np.ndarray:
    with PIL.Image.open(SAMPLE) as picture:
        return np.asarray(picture.convert("RGB"))


def lazily() -> PIL.Image.Image:
    return PIL.Image.open(io.BytesIO(SAMPLE.read_bytes()))


def raw() -> RawFrame:
    height, width, _ = pixels().shape
    return RawFrame("bgr24", width, height, pixels()[:, :, ::-1].tobytes())


IMAGES: dict[str, Callable[[], ImageLike]] = {
    "path": lambda: SAMPLE,
    "text": lambda: str(SAMPLE),
    "bytes": SAMPLE.read_bytes,
    "memoryview": lambda: memoryview(SAMPLE.read_bytes()),
    "array": pixels,
    "mirrored view": lambda: pixels()[:, ::-1],
    "pillow": lazily,
    "with alpha": lambda: lazily().convert("LA"),
    "turned": lambda: encoded(lazily(), "JPEG", exif=exif(6)),
}
OPTIONS: list[dict[str, Any]] = [
    {},
    {"mode": "binary"},
    {"threshold": 0.8, "variant": "b0", "priority": "batch", "timeout": 20},
    {"smoothing": "edge", "dilation_px": np.int64(7), "resolve_overlaps": True, "model": "hiseg_b0"},
    {"box_format": "xywh", "mode": None},
    {"box_format": "cxcywh", "normalized": "true"},
]


def assert_same(found: Result, expected: Result) -> None:
    """All of a result, but for its timings."""
    assert (found.width, found.height, found.notes, found.model) == (
        expected.width,
        expected.height,
        expected.notes,
        expected.model,
    )
    assert found.instances == expected.instances
    assert found.foreground == expected.foreground
    assert set(found.timings_ms) == STAGES
    for one, other in zip(found.found, expected.found, strict=True):
        np.testing.assert_array_equal(one.mask, other.mask)


@pytest.mark.parametrize("image", IMAGES)
def test_every_kind_of_image_as_over_http(session: Session, client: Client, image: str) -> None:
    assert_same(session.segment(IMAGES[image](), BOX), client.segment(IMAGES[image](), BOX))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_every_option_as_over_http(session: Session, client: Client, options: dict[str, Any]) -> None:
    boxes = [[0.4, 0.5, 0.2, 0.6]] if options.get("normalized") else SAMPLE_BOXES
    assert_same(session.segment(SAMPLE, boxes, **options), client.segment(SAMPLE, boxes, **options))


def test_a_raw_frame_as_over_grpc(session: Session, over_grpc: Client) -> None:
    found, expected = session.segment(raw(), BOX), over_grpc.segment(raw(), BOX)
    assert found.instances[0].counts == expected.instances[0].counts


@pytest.mark.parametrize(
    "boxes",
    [
        np.array(SAMPLE_BOXES, np.float32),
        SimpleNamespace(xyxy=np.array(SAMPLE_BOXES)),
        (tuple(map(str, box)) for box in SAMPLE_BOXES),
        [],
    ],
    ids=["array", "detections", "generator of texts", "nobody"],
)
def test_every_kind_of_boxes(session: Session, boxes: Any) -> None:
    rows = [] if isinstance(boxes, list) else SAMPLE_BOXES
    assert session.segment(SAMPLE, boxes).instances == session.segment(SAMPLE, rows).instances


def too_large() -> bytes:
    return b"\xff\xd8" + bytes(20 * 2**20)


BAD: dict[str, tuple[Callable[[], Any], Any, dict[str, Any]]] = {
    "threshold": (SAMPLE.read_bytes, BOX, {"threshold": 1.5}),
    "no number": (SAMPLE.read_bytes, BOX, {"threshold": "x"}),
    "mode": (SAMPLE.read_bytes, BOX, {"mode": "all"}),
    "smoothing": (SAMPLE.read_bytes, BOX, {"smoothing": 3}),
    "priority": (SAMPLE.read_bytes, BOX, {"priority": "high"}),
    "dilation": (SAMPLE.read_bytes, BOX, {"dilation_px": 101}),
    "negative dilation": (SAMPLE.read_bytes, BOX, {"dilation_px": -1}),
    "box format": (SAMPLE.read_bytes, BOX, {"box_format": "yxyx"}),
    "shares": (SAMPLE.read_bytes, BOX, {"normalized": True}),
    "no variant": (SAMPLE.read_bytes, BOX, {"variant": ""}),
    "variant": (SAMPLE.read_bytes, BOX, {"variant": "b9"}),
    "model": (SAMPLE.read_bytes, BOX, {"model": "hiseg_b9"}),
    "model and variant": (SAMPLE.read_bytes, BOX, {"model": "hiseg_b0", "variant": "b1"}),
    "empty file": (lambda: b"", BOX, {}),
    "text": (lambda: b"hello", BOX, {}),
    "GIF": (lambda: b"GIF89a" + bytes(50), BOX, {}),
    "cut off": (lambda: SAMPLE.read_bytes()[:5000], BOX, {}),
    "bytes": (too_large, BOX, {}),
    "pixels": (lambda: np.zeros((8000, 8000, 3), np.uint8), BOX, {}),
    "floats": (lambda: np.zeros((4, 4, 3)), BOX, {}),
    "reversed": (SAMPLE.read_bytes, [[10, 10, 5, 20]], {}),
    "not finite": (SAMPLE.read_bytes, [[1, 2, float("nan"), 4]], {}),
    "three numbers": (SAMPLE.read_bytes, [[1, 2, 3]], {}),
    "outside": (SAMPLE.read_bytes, [[9000, 9000, 9010, 9010]], {}),
    "shares as pixels": (SAMPLE.read_bytes, [[0.1, 0.1, 0.5, 0.5]], {}),
    "too many": (SAMPLE.read_bytes, BOX * 101, {}),
    "no boxes": (SAMPLE.read_bytes, None, {}),
    "boxes as text": (SAMPLE.read_bytes, "1,2,3,4", {}),
}


@pytest.mark.parametrize("case", BAD)
def test_every_error_is_the_service_s(session: Session, client: Client, case: str) -> None:
    image, boxes, options = BAD[case]

    def error(segment: Callable[..., Result]) -> tuple[object, ...]:
        with pytest.raises(ClientError) as found:
            segment(image(), boxes, **options)
        told = found.value
        return type(told), told.reason, told.field, told.limit, told.value, told.detail, told.retryable

    assert error(session.segment) == error(client.segment)


def test_errors_of_the_call_itself(session: Session) -> None:
    with pytest.raises(TypeError, match="there is no option 'tresh'"):
        session.segment(SAMPLE, BOX, tresh=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="an image is a path"):
        session.segment(None, BOX)  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError):
        session.segment("/nowhere.jpg", BOX)
    with pytest.raises(TypeError, match="a session can't be pickled or copied; make one in each process"):
        pickle.dumps(session)
    with pytest.raises(ClientError, match="'rgb' is none of rgb24, bgr24, nv12"):
        session.segment(RawFrame("rgb", 1, 1, b"abc"), BOX)
    for timeout in (0, 1e-3):
        with pytest.raises(ClientError) as found:
            session.segment(SAMPLE, BOX, timeout=timeout)
        assert (found.value.reason, found.value.field) == ("DEADLINE_EXCEEDED", "deadline_ms")


def test_threads_and_event_loops_share_batches(session: Session) -> None:
    image, expected = SAMPLE.read_bytes(), session.segment(SAMPLE, BOX)

    async def many() -> list[Result]:
        return await asyncio.gather(*(session.asegment(image, BOX) for _ in range(8)))

    with ThreadPoolExecutor(9) as pool:
        for _ in range(20):  # on a busy machine they may come one by one
            on_loop = pool.submit(asyncio.run, many())
            found = [*pool.map(lambda _: session.segment(image, BOX), range(8)), *on_loop.result()]
            for result in found:
                assert_same(result, expected)
            batches = {result.timings_ms["infer"] for result in found}  # the same number for all of a batch
            if len(batches) < len(found):
                return
    pytest.fail("in twenty rounds no two shared a batch")


def test_what_may_take_its_time_lets_others_pass(session: Session) -> None:
    done: list[str] = []

    async def one(priority: str) -> None:
        await session.asegment(IMAGE, BOX, priority=priority)
        done.append(priority)

    async def scenario() -> None:
        batch = [asyncio.create_task(one("batch")) for _ in range(40)]
        await asyncio.wait(batch, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.gather(*batch, *(one("interactive") for _ in range(3)))

    asyncio.run(scenario())
    assert max(index for index, priority in enumerate(done) if priority == "interactive") < 30


def test_the_blocking_call_works_while_an_event_loop_runs(session: Session) -> None:
    async def notebook() -> Result:
        return session.segment(SAMPLE, BOX)

    assert_same(asyncio.run(notebook()), asyncio.run(session.asegment(SAMPLE, BOX)))


def test_a_cancelled_call_leaves_nothing_behind(session: Session) -> None:
    async def scenario() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(session.asegment(SAMPLE, SAMPLE_BOXES), 0.002)

    asyncio.run(scenario())
    tasks = session._background._tasks
    for _ in range(200):
        if not tasks:
            break
        time.sleep(0.01)
    assert not tasks
    assert session.segment(SAMPLE, BOX).instances


def test_what_was_cancelled_is_not_logged_when_it_ends_otherwise(caplog: pytest.LogCaptureFixture) -> None:
    with Session(repository=REPOSITORY) as session:
        for _ in session.segment_many((IMAGE, BOX) for _ in range(20)):
            break
    gc.collect()
    assert caplog.records == []


def test_another_model_is_loaded_for_a_call_and_one_s_own_is_said() -> None:
    with Session(repository=PUBLISHED, model="hiseg_b1", threads=1) as session:
        assert (session.model.name, session.model.variant) == ("hiseg_b1", "b1")
        assert session.segment(SAMPLE, BOX).model == session.model
        assert session.segment(SAMPLE, BOX, variant="b0").model.name == "hiseg_b0"


def test_closing_refuses_what_is_on_its_way_and_all_that_comes() -> None:
    before = {*threading.enumerate()}
    session = Session(repository=REPOSITORY)
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(session.segment, SAMPLE, SAMPLE_BOXES) for _ in range(40)]
        while not any(call.done() for call in calls):
            time.sleep(0.001)
        session.close()
        errors = [call.exception() for call in calls]
    assert errors[-1] is not None
    assert all(error is None or str(error) == "the session is closed; make another one" for error in errors)
    with pytest.raises(SessionError, match="closed"):
        session.segment(SAMPLE, BOX)
    session.close()
    assert not [thread for thread in threading.enumerate() if thread not in before]


def test_a_session_that_nobody_has_any_more_ends_its_threads() -> None:
    before = {*threading.enumerate()}
    session = Session(repository=REPOSITORY)
    assert session.segment(SAMPLE, BOX).instances
    threads = {*threading.enumerate()} - before
    assert threads
    del session
    gc.collect()
    assert not [thread for thread in threads if thread.is_alive()]


@pytest.mark.parametrize(
    ("arguments", "variables", "words"),
    [
        ({"repository": "/nowhere"}, {}, "there is no folder /nowhere with models"),
        ({"threads": -1}, {}, r"threads \(the argument threads\): -1 is under 0"),
        ({}, {"HISEG_MODEL_REPOSITORY": "/nowhere"}, "there is no folder /nowhere with models"),
        ({}, {"HISEG_MAX_BOXES": "many"}, r"max_boxes \(HISEG_MAX_BOXES\): 'many' is no whole number"),
        (
            {"repository": REPOSITORY},
            {"HISEG_DEFAULT_VARIANT": "b9"},
            "default_variant is 'b9', and there is hiseg_b0 of variant b0",
        ),
    ],
)
def test_a_session_that_cannot_be_made(
    monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any], variables: dict[str, str], words: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SessionError, match=words):
        Session(**arguments)


def test_no_such_model_is_said_as_the_service_says_it() -> None:
    for asked, field in (({"model": "hiseg_b9"}, "model"), ({"variant": "b9"}, "variant")):
        with pytest.raises(ClientError, match="b9' is not served; there is ") as found:
            Session(repository=REPOSITORY, **asked)  # type: ignore[arg-type]
        assert (found.value.field, found.value.reason) == (field, "INVALID_REQUEST")
    assert not issubclass(InvalidRequest, ClientError)
    with pytest.raises(ClientError, match="model: it should be a text"):
        Session(repository=REPOSITORY, model=3)  # type: ignore[arg-type]


def test_a_process_without_a_file_to_spare_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> asyncio.AbstractEventLoop:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(asyncio, "new_event_loop", full)
    with pytest.raises(OSError, match="Too many open files"):
        Session(repository=REPOSITORY)


def test_a_damaged_model_is_a_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "mine_b0" / "1"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"no model")
    with pytest.raises(SessionError, match=r"model\.onnx: ONNX Runtime cannot open it"):
        Session(repository=tmp_path)


def test_settings_hold_as_for_a_service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "hiseg.toml").write_text(f'model_repository = "{REPOSITORY}"\nmax_boxes = 1\n')
    monkeypatch.chdir(tmp_path)
    with Session() as session:
        assert session.model.variant == "b0"
        with pytest.raises(ClientError, match="2 boxes were sent; at most 1 are taken"):
            session.segment(SAMPLE, SAMPLE_BOXES)
