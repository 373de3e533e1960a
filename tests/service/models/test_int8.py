"""Which file of a version runs, and that a file in INT8 keeps no version from being served."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hiseg.app import models_ready
from hiseg.core.engine_settings import Int8
from hiseg.doctor.embedded import check_embedded
from hiseg.doctor.finding import Level
from hiseg.engines.processor import int8_instructions
from hiseg.models import int8
from hiseg.models.inspect import inspect_model, model_name
from hiseg.models.int8 import OpenVersion, open_version, why_not_int8
from hiseg.models.repository import stored_models, stored_versions
from hiseg.models.running import new_segmenter
from hiseg.observability.metrics import Metrics
from hiseg.segmenter import Segmenter
from hiseg.session.embedded import embedded_segmenter
from hiseg.settings import Settings
from tests.service.models.int8_models import add_model, quantized, tiny


def opened(repository: Path, setting: Int8 = Int8.ALWAYS) -> tuple[str, str, bool]:
    """Precision and file that run of the only model, and whether its file in INT8 was refused."""

    async def scenario() -> OpenVersion:
        return await open_version(stored_models(repository)[0], setting, 1)

    version = asyncio.run(scenario())
    version.engine.close()
    return version.engine.info.ref.precision, version.file.path.name, version.refused is not None


@pytest.mark.parametrize(
    ("setting", "instructions", "fast", "why"),
    [
        (Int8.AUTO, ["avx_vnni"], [], None),
        (Int8.AUTO, [], [], "no instructions"),
        (Int8.AUTO, ["avx_vnni"], ["CUDAExecutionProvider"], "built for CUDAExecutionProvider"),
        (Int8.ALWAYS, [], ["CUDAExecutionProvider"], None),
        (Int8.NEVER, ["avx_vnni"], [], "int8 is never"),
    ],
)
def test_the_processor_and_the_setting_decide(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    setting: Int8,
    instructions: list[str],
    fast: list[str],
    why: str | None,
) -> None:
    monkeypatch.setattr(int8, "int8_instructions", lambda: instructions)
    monkeypatch.setattr("hiseg.engines.onnx.fast_providers", lambda: fast)
    said = why_not_int8(setting)
    assert said is None if why is None else why in str(said)
    add_model(tmp_path, quantized())
    assert opened(tmp_path, setting)[0] == ("int8" if why is None else "fp32")


def test_this_machine_runs_what_it_is_fast_at(tmp_path: Path) -> None:
    add_model(tmp_path, quantized())
    assert opened(tmp_path, Int8.AUTO)[0] == ("int8" if int8_instructions() else "fp32")


SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.write_bytes(b""), "it is empty"),
    "no model": (lambda path: path.write_bytes(b"nothing of the kind"), "int8"),
    "cut off": (lambda path: path.write_bytes(quantized()[:-900]), "cut off"),
    "a folder": (lambda path: path.mkdir(), "folder"),
    "a pipe": (lambda path: os.mkfifo(path), "no regular file"),
    "a dangling link": (lambda path: path.symlink_to("nowhere"), ""),
    "a link to itself": (lambda path: path.symlink_to(path), ""),
    "another variant": (
        lambda path: path.write_bytes(quantized(variant="b1")),
        "with variant b1 where model.onnx has b0",
    ),
    "another canvas": (lambda path: path.write_bytes(quantized(canvas=(32, 32))), "with canvases ((32, 32),)"),
    "other masks": (lambda path: path.write_bytes(quantized(mask_width=16)), "mask size (16, 16)"),
    "wrong masks": (lambda path: path.write_bytes(quantized(bias=-1.0)), "IoU 0.000"),
}


@pytest.mark.parametrize("kind", SPOILT)
def test_a_file_that_cannot_be_used_is_left_alone_with_a_warning(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spoil, said = SPOILT[kind]
    spoil(add_model(tmp_path, None) / "model.int8.onnx")
    found = opened(tmp_path)
    if said:
        assert found == ("fp32", "model.onnx", True)
        (line,) = [record.getMessage() for record in caplog.records if record.name == int8.__name__]
        assert "Version 1 of hiseg_b0 runs from model.onnx" in line
        assert said in line
    else:
        assert found == ("fp32", "model.onnx", False)


def test_inputs_of_another_shape_are_another_model(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its metadata says the same; its graph takes one canvas only."""
    add_model(tmp_path, quantized(is_fixed=True))
    assert opened(tmp_path) == ("fp32", "model.onnx", True)
    assert "with inputs images float32 ? x 3 x 32 x 48" in caplog.text


def test_a_file_in_int8_alone_is_no_version(tmp_path: Path) -> None:
    (add_model(tmp_path, quantized()) / "model.onnx").unlink()
    add_model(tmp_path, None, name="other")
    assert [*stored_versions(tmp_path)] == ["other"]


@asynccontextmanager
async def serving(repository: Path, setting: Int8) -> AsyncIterator[Segmenter]:
    """The models of a repository as a service has them, reloaded when they change."""
    settings = Settings(model_repository=repository, int8=setting, repository_poll_seconds=0.02, threads=1)
    with ThreadPoolExecutor(2) as executor:
        segmenter = new_segmenter(settings, executor)
        async with models_ready(segmenter, settings, Metrics()):
            yield segmenter


def precisions(segmenter: Segmenter) -> dict[str, str]:
    return {info.ref.name: info.ref.precision for info in segmenter.models}


async def until(true: Callable[[], object], what: str) -> None:
    for _ in range(1000):
        if true():
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"not in 20 s: {what}")


def test_each_model_runs_the_file_that_it_has(tmp_path: Path) -> None:
    add_model(tmp_path, quantized())
    add_model(tmp_path, None, name="hiseg_b1", variant="b1")
    add_model(tmp_path, b"broken", name="own")

    async def scenario(setting: Int8) -> dict[str, str]:
        async with serving(tmp_path, setting) as segmenter:
            return precisions(segmenter)

    assert asyncio.run(scenario(Int8.ALWAYS)) == {"hiseg_b0": "int8", "hiseg_b1": "fp32", "own": "fp32"}
    assert asyncio.run(scenario(Int8.NEVER)) == dict.fromkeys(["hiseg_b0", "hiseg_b1", "own"], "fp32")


def test_a_file_that_comes_and_goes_is_used_and_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("hiseg.models.reload.SETTLED_S", 0.1)
    folder = add_model(tmp_path, None)
    path, said = folder / "model.int8.onnx", caplog.records

    def refusals() -> int:
        return sum("can't be used" in record.getMessage() for record in said)

    async def scenario() -> None:
        async with serving(tmp_path, Int8.ALWAYS) as segmenter:
            assert precisions(segmenter) == {"hiseg_b0": "fp32"}
            for end in range(1, 9):  # a copy that isn't done yet
                path.write_bytes(quantized()[: -100 * end])
                await asyncio.sleep(0.04)
            assert not refusals()
            path.write_bytes(quantized())
            await until(lambda: precisions(segmenter) == {"hiseg_b0": "int8"}, "the whole is used")
            assert not refusals()
            path.write_bytes(b"damaged while it is used")
            await until(lambda: precisions(segmenter) == {"hiseg_b0": "fp32"}, "the other one is used")
            path.unlink()
            add_model(tmp_path, quantized(), version="2")
            await until(lambda: precisions(segmenter) == {"hiseg_b0": "int8"}, "a new version")
            before = refusals()
            add_model(tmp_path, quantized(variant="b1"), version="3")
            await until(lambda: segmenter.models[0].ref.version == "3", "a new version")
            assert precisions(segmenter) == {"hiseg_b0": "fp32"}
            await asyncio.sleep(0.2)
            assert refusals() == before + 1, "a file is refused once"

    with caplog.at_level("INFO"):
        asyncio.run(scenario())
    assert "Version 1 of hiseg_b0 is used in int8 instead of fp32" in caplog.text


def test_a_file_refused_at_the_start_is_not_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    add_model(tmp_path, b"broken")

    async def scenario() -> None:
        async with serving(tmp_path, Int8.ALWAYS):
            await asyncio.sleep(0.2)

    asyncio.run(scenario())
    assert caplog.text.count("can't be used") == 1
    assert "is used instead" not in caplog.text


def test_many_open_the_same_version_at_once(tmp_path: Path) -> None:
    add_model(tmp_path, quantized())
    (version,) = stored_models(tmp_path)

    async def scenario() -> list[str]:
        found = await asyncio.gather(*(open_version(version, Int8.ALWAYS, 1) for _ in range(8)))
        for each in found:
            each.engine.close()
        return [each.engine.info.ref.precision for each in found]

    assert asyncio.run(scenario()) == ["int8"] * 8


@pytest.mark.parametrize(("setting", "precision"), [("always", "int8"), ("never", "fp32")])
def test_a_session_runs_the_same_file(tmp_path: Path, setting: str, precision: str) -> None:
    add_model(tmp_path, quantized())

    async def scenario() -> str:
        async with embedded_segmenter(Settings(model_repository=tmp_path, int8=Int8(setting))) as segmenter:
            return segmenter.model.ref.precision

    assert asyncio.run(scenario()) == precision


@pytest.mark.parametrize(
    ("setting", "content", "level", "said"),
    [
        ("always", quantized, Level.OK, "runs from model.int8.onnx"),
        ("never", quantized, Level.OK, "runs from model.onnx: the setting int8 is never"),
        ("always", lambda: b"broken", Level.WARNING, "can't be used"),
    ],
)
def test_the_doctor_says_which_file_runs(
    tmp_path: Path, setting: str, content: Callable[[], bytes], level: Level, said: str
) -> None:
    add_model(tmp_path, content())

    async def scenario() -> None:
        settings = Settings(model_repository=tmp_path, int8=Int8(setting))
        (finding,) = [each async for each in check_embedded(settings) if each.check == "precision"]
        assert finding.level is level
        assert said in finding.found

    asyncio.run(scenario())


def test_a_file_in_int8_is_inspected_under_its_models_name(tmp_path: Path) -> None:
    path = add_model(tmp_path, quantized()) / "model.int8.onnx"
    assert model_name(path) == "hiseg_b0"
    report = inspect_model(path, threads=1)
    assert report.fits
    assert [fact.value for fact in report.facts if fact.what == "precision"] == ["int8"]
    path.write_bytes(tiny())
    assert [fact.value for fact in inspect_model(path, threads=1).facts if fact.what == "precision"] == ["fp32"]
