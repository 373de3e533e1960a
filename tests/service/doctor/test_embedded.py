"""The doctor on good repositories, and on repositories with typical faults."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

from benchmarks.harness.repository import REPOSITORY
from hiseg.doctor.embedded import check_embedded
from hiseg.doctor.finding import Finding, Level
from hiseg.settings import Settings
from tests.service.engines.test_onnx import upstream_like


def examine(repository: Path, **given: str) -> list[Finding]:
    async def collect() -> list[Finding]:
        return [finding async for finding in check_embedded(Settings(model_repository=repository, **given))]  # type: ignore[arg-type]

    return asyncio.run(collect())


def bad(findings: list[Finding]) -> list[tuple[str, Level]]:
    assert all(finding.mend for finding in findings if finding.level is not Level.OK)
    return [(finding.check, finding.level) for finding in findings if finding.level is not Level.OK]


def copy(folder: Path) -> Path:
    """The project's repository with one model, to spoil."""
    shutil.copytree(REPOSITORY / "hiseg_b0", folder / "hiseg_b0")
    return folder


def test_the_published_repository_has_no_bad_findings() -> None:
    findings = examine(REPOSITORY)
    assert not bad(findings)
    assert {finding.check for finding in findings} == {"versions", "contract", "masks"}


def test_a_missing_repository_is_reported(tmp_path: Path) -> None:
    (finding,) = examine(tmp_path / "missing")
    assert (finding.check, finding.level) == ("models", Level.WRONG)
    assert "--repository" in finding.mend


def test_a_truncated_model_file_is_reported(tmp_path: Path) -> None:
    model = copy(tmp_path) / "hiseg_b0" / "1" / "model.onnx"
    model.write_bytes(model.read_bytes()[:100_000])
    assert bad(examine(tmp_path)) == [("contract", Level.WRONG), ("models", Level.WRONG)]


def test_a_version_without_a_model_file_is_reported(tmp_path: Path) -> None:
    (copy(tmp_path) / "hiseg_b0" / "2").mkdir()
    assert bad(examine(tmp_path)) == [("versions", Level.WARNING)]


def test_masks_of_another_model_are_reported(tmp_path: Path) -> None:
    """The boxes of the canary were swapped: what the model gives is no longer what is stored."""
    canary = copy(tmp_path) / "hiseg_b0" / "1" / "canary.json"
    canary.write_text(json.dumps(json.loads(canary.read_text())[::-1]))
    assert bad(examine(tmp_path)) == [("masks", Level.WRONG)]


def test_a_default_variant_that_is_not_served_is_reported(tmp_path: Path) -> None:
    assert bad(examine(copy(tmp_path), default_variant="b7")) == [("models", Level.WRONG)]


def test_an_upstream_file_is_accepted_with_warnings(tmp_path: Path) -> None:
    (tmp_path / "people_b0" / "1").mkdir(parents=True)
    upstream_like(tmp_path / "people_b0" / "1" / "model.onnx", "masks", 3)
    assert bad(examine(tmp_path)) == [("contract", Level.WARNING), ("masks", Level.WARNING)]
