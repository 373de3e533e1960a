"""A repository is whole at every moment of a publication."""

from __future__ import annotations

import asyncio
import shutil
from functools import cache
from pathlib import Path

import onnx
import pytest

from benchmarks.harness.repository import B0, REPOSITORY
from benchmarks.harness.triton.engine import engine_on
from benchmarks.harness.triton.models import add_float_b0, copy_of_ours, targets_of
from benchmarks.harness.triton.server import Control, triton
from hiseg.engines.base import Outputs
from hiseg.models.repository import stored_models, stored_versions
from hiseg_training.export import install as module
from hiseg_training.export.install import (
    InstallError,
    check_contract,
    check_place,
    contract_of,
    install,
    next_version,
    shared_variant,
)
from tests.service.engines.triton.test_versions import Asking
from tests.service.engines.upstream_files import UpstreamFile

NAME = "hiseg_b0"


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """B0 once more, with a card of its own."""
    folder = Path(shutil.copytree(B0.parent, tmp_path / "built"))
    (folder / "MODEL_CARD.md").write_text("the new card")
    return folder


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return Path(shutil.copytree(REPOSITORY, tmp_path / "models"))


def versions(repository: Path) -> list[str]:
    return [stored.version for stored in stored_versions(repository)[NAME]]


def test_a_version_is_installed_beside_the_others(built: Path, repository: Path) -> None:
    assert next_version(repository, NAME) == 2
    assert install(built, repository, NAME, 2) == repository / NAME / "2"
    assert versions(repository) == ["2", "1"]
    assert (repository / NAME / "MODEL_CARD.md").read_text() == "the new card"
    assert (repository / NAME / "2" / "canary.jpg").exists()
    assert not [path for path in repository.rglob("*") if path.name.startswith(".")]
    assert next_version(repository, NAME) == 3
    (repository / NAME / "7").mkdir()  # of a TensorRT plan, or begun by hand
    assert next_version(repository, NAME) == 8
    with pytest.raises(InstallError, match="version 7 of hiseg_b0 exists; publish version 8"):
        check_place(repository, NAME, 7, replace=False)
    assert not shared_variant(repository, NAME)


def test_a_new_model_in_a_new_repository(built: Path, tmp_path: Path) -> None:
    install(built, tmp_path / "new", "people_b0", next_version(tmp_path / "new", "people_b0"))
    folder = tmp_path / "new" / "people_b0"
    for config in ("config.pbtxt", "configs/cpu.pbtxt"):
        assert (folder / config).read_text() == (REPOSITORY / NAME / config).read_text().replace(NAME, "people_b0")
    assert [stored.version for stored in stored_models(tmp_path / "new")] == ["1"]
    (damaged := tmp_path / "new" / "damaged" / "1").mkdir(parents=True)
    (damaged / "model.onnx").touch()
    install(built, tmp_path / "new", NAME, 1)
    (said,) = shared_variant(tmp_path / "new", "people_b0")
    assert said.startswith("hiseg_b0, people_b0 are of one variant, b0: hiseg_b0 answers for it")


def test_an_older_version_leaves_the_newest_ones_card_and_configuration(built: Path, repository: Path) -> None:
    install(built, repository, NAME, 3)
    (built / "MODEL_CARD.md").write_text("an older card")
    install(built, repository, NAME, 2)
    assert (repository / NAME / "MODEL_CARD.md").read_text() == "the new card"
    assert (repository / NAME / "2" / "MODEL_CARD.md").read_text() == "an older card"


def test_a_version_that_is_there_stays_unless_it_is_to_be_replaced(built: Path, repository: Path) -> None:
    with pytest.raises(InstallError, match="publish version 2, or ask for --replace"):
        install(built, repository, NAME, 1)
    assert (repository / NAME / "1" / "MODEL_CARD.md").read_text() != "the new card"
    install(built, repository, NAME, 1, replace=True)
    assert (repository / NAME / "1" / "MODEL_CARD.md").read_text() == "the new card"
    assert versions(repository) == ["1"]


def test_another_contract_needs_another_name(built: Path, repository: Path, tmp_path: Path) -> None:
    shutil.copy(add_float_b0(tmp_path / "floats", NAME), built / "model.onnx")
    with pytest.raises(InstallError, match="takes_uint8 is False, and True in version 1"):
        install(built, repository, NAME, 2)
    proto = onnx.load(B0)
    for entry in proto.metadata_props:
        entry.value = "b7" if entry.key == "variant" else entry.value
    onnx.save(proto, built / "model.onnx")
    with pytest.raises(InstallError, match="variant is b7"):
        install(built, repository, NAME, 2)
    proto = onnx.load(B0)
    for entry in proto.metadata_props:
        entry.value = "1.1" if entry.key == "mask_extent" else entry.value
    onnx.save(proto, built / "model.onnx")
    with pytest.raises(InstallError, match=r"crop_scale is 1\.1, and 1\.2 in version 1"):
        install(built, repository, NAME, 2)
    assert versions(repository) == ["1"]


def test_only_the_foreground_may_go(tmp_path: Path) -> None:
    repository = tmp_path / "models"
    kinds = {"both": Outputs.BOTH, "masks": Outputs.MASKS, "foreground": Outputs.FOREGROUND}
    contracts = {}
    for kind, outputs in kinds.items():
        UpstreamFile(outputs=outputs).save(path := tmp_path / kind / "model.onnx")
        contracts[kind] = contract_of(path, NAME)
    (repository / NAME / "1").mkdir(parents=True)
    shutil.copy(tmp_path / "both" / "model.onnx", repository / NAME / "1")
    assert check_contract(contracts["masks"], repository, NAME, 2) == [1]
    with pytest.raises(InstallError, match="another name"):
        check_contract(contracts["foreground"], repository, NAME, 2)
    shutil.copy(tmp_path / "masks" / "model.onnx", repository / NAME / "1")
    with pytest.raises(InstallError, match="outputs is masks and foreground, and masks in version 1 of hiseg_b0"):
        check_contract(contracts["both"], repository, NAME, 2)


def test_a_polling_triton_takes_it_over_and_no_request_fails(built: Path, tmp_path: Path) -> None:
    repository = copy_of_ours(tmp_path)

    async def scenario() -> None:
        async with engine_on(targets_of(server), repository) as engine, Asking(engine) as asking:
            await asking.answered_by("1")
            await asyncio.to_thread(install, built, repository, NAME, 2)
            await asking.answered_by("2")
        assert set(asking.versions) == {"1", "2"}
        assert asking.refused == 0

    with triton(repository, Control.POLL) as server:
        asyncio.run(scenario())


class Crash(BaseException):
    """The process ends here."""


def test_a_crash_at_any_step_leaves_whole_versions(
    built: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.relative_to(repository): path.read_bytes() for path in repository.rglob("*") if path.is_file()}
    steps = 0

    def step(real: object, *given: object, **named: object) -> object:
        nonlocal steps
        steps += 1
        if steps == crash_at:
            raise Crash
        return real(*given, **named)  # type: ignore[operator]

    for owner, name in ((module.os, "replace"), (module.shutil, "copytree"), (Path, "rename"), (Path, "write_text")):
        real = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *given, real=real, **named: step(real, *given, **named))
    # What is in a file of one path is the same each time, and looking takes most of an attempt.
    monkeypatch.setattr(module, "contract_of", cache(module.contract_of))
    crash_at = 0
    while True:
        steps, crash_at = 0, crash_at + 1
        try:
            install(built, repository, NAME, 2)
            break
        except Crash:
            for path, content in before.items():
                # The same model: its configuration is the same before and after.
                assert (repository / path).read_bytes() == content or path.name == "MODEL_CARD.md"
            if "2" in versions(repository):
                assert {path.name for path in (repository / NAME / "2").iterdir()} == {p.name for p in built.iterdir()}
                shutil.rmtree(repository / NAME / "2")
    assert crash_at > 5
    assert versions(repository) == ["2", "1"]
