"""Versions are added and removed while the service runs, and every request is answered by a good version."""

from __future__ import annotations

import asyncio
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import onnx
import pytest

from benchmarks.harness.repository import B0, REPOSITORY
from benchmarks.harness.serving import SERVE, Server, serving
from benchmarks.harness.triton.models import add_version, other_masks
from hiseg.models.reload import hot_reloading
from hiseg.models.repository import StoredModel
from hiseg.models.running import new_segmenter
from hiseg.observability.metrics import Metrics
from hiseg.settings import Settings

BOXES = {"boxes": "22,15,365,512;526,18,949,512"}
CALLERS = 3


class Callers:
    """Ask all the time, each soon after it was answered: models that load meanwhile want the cores too."""

    def __init__(self, url: str, photo: bytes) -> None:
        self.answers: list[tuple[int, str]] = []
        self._url, self._photo = url, photo
        self._over = threading.Event()

    @contextmanager
    def asking(self) -> Iterator[None]:
        with ThreadPoolExecutor(CALLERS) as pool:
            running = [pool.submit(self._ask) for _ in range(CALLERS)]
            try:
                yield
            finally:
                self._over.set()
        for caller in running:
            caller.result()

    def _ask(self) -> None:
        headers = {"content-type": "image/jpeg"}
        with httpx.Client(timeout=60) as client:
            while not self._over.is_set():
                answer = client.post(self._url + "/v1/segment", params=BOXES, content=self._photo, headers=headers)
                version = answer.json()["model"]["version"] if answer.status_code == 200 else answer.text
                self.answers.append((answer.status_code, version))
                self._over.wait(0.1)

    def answered_by(self, version: str) -> bool:
        """Each of them, most lately."""
        return [v for _, v in self.answers[-CALLERS:]] == [version] * CALLERS


def until(true: Callable[[], object], what: str) -> None:
    for _ in range(1500):
        if true():
            return
        time.sleep(0.02)
    pytest.fail(f"not in 30 s: {what}")


def models(server: Server) -> dict[str, str]:
    """The version of each model that is served."""
    return {model["name"]: model["version"] for model in httpx.get(server.url + "/v1/models").json()["models"]}


def of_variant(variant: str) -> bytes:
    """B0, but it says that it is another variant."""
    proto = onnx.load(B0)
    for entry in proto.metadata_props:
        entry.value = variant if entry.key == "variant" else entry.value
    return bytes(proto.SerializeToString())


def add_model(repository: Path, name: str, variant: str) -> None:
    """B0 once more, as another variant."""
    staging = Path(shutil.copytree(REPOSITORY / "hiseg_b0", repository.parent / name))
    (staging / "1" / "model.onnx").write_bytes(of_variant(variant))
    staging.rename(repository / name)


def test_versions_come_and_go_and_no_request_fails(tmp_path: Path, photo: bytes) -> None:
    repository = tmp_path / "models"
    shutil.copytree(REPOSITORY, repository)
    command = (*SERVE[:-1], repository)
    with serving(command, repository_poll_seconds=0.1) as server:
        callers = Callers(server.url, photo)

        def counted(line: str) -> bool:
            return line in httpx.get(server.url + "/metrics").text

        with callers.asking():
            until(lambda: callers.answered_by("1"), "an answer of version 1")
            add_version(repository, 2)
            until(lambda: callers.answered_by("2"), "an answer of version 2")
            assert models(server)["hiseg_b0"] == "2"
            # Loadable, of the right form, and wrong; then not even loadable; then one whose callers would find nobody.
            for version, model in ((3, other_masks()), (4, b"not a model"), (5, of_variant("b7"))):
                add_version(repository, version, model)
                line = f'hiseg_model_reloads_total{{model="hiseg_b0",outcome="refused"}} {version - 2}.0'
                until(lambda line=line: counted(line), f"version {version} is refused")
            add_model(repository, "hiseg_b1", "b1")
            until(lambda: "hiseg_b1" in models(server), "a new model")
            add_model(repository, "a_tiny", "b1")
            until(lambda: any("a_tiny, hiseg_b1 are of one variant, b1" in line for line in server.log), "a warning")
            assert callers.answered_by("2")
            # Back to the version before, by taking away the newer ones; and a model stays though its folder went.
            shutil.rmtree(repository / "hiseg_b1")
            for version in (5, 4, 3, 2):
                shutil.rmtree(repository / "hiseg_b0" / str(version))
            until(lambda: callers.answered_by("1"), "an answer of version 1 again")
        asked = httpx.post(
            server.url + "/v1/segment",
            params=BOXES | {"variant": "b1"},
            content=photo,
            headers={"content-type": "image/jpeg"},
        )
        assert (asked.status_code, asked.json()["model"]["name"]) == (200, "hiseg_b1")
    assert {status for status, _ in callers.answers} == {200}
    assert {version for _, version in callers.answers} == {"1", "2"}


def test_the_repository_is_left_alone_if_so_asked() -> None:
    async def tasks(seconds: float) -> int:
        settings = Settings(repository_poll_seconds=seconds)
        with ThreadPoolExecutor(1) as workers:
            segmenter = new_segmenter(settings, workers)
            async with hot_reloading(segmenter, settings, Metrics(), [StoredModel("hiseg_b0", "1", B0)]):
                return len(asyncio.all_tasks())

    assert (asyncio.run(tasks(0)), asyncio.run(tasks(60))) == (1, 2)
