"""The doctor on real Tritons, good ones and ones with typical faults."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.harness.availability import missing
from benchmarks.harness.repository import MODELS, REPOSITORY
from benchmarks.harness.triton.models import add_float_b0
from benchmarks.harness.triton.narrow import narrow
from benchmarks.harness.triton.server import Triton, triton
from hiseg.doctor.finding import Finding, Level
from hiseg.doctor.servers import check_servers
from hiseg.settings import Settings

ALONE = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs tmpfs /dev/shm && exec "$0" "$@"')
"""Shared memory of its own, as in a container."""


def examine(*addresses: str, repository: Path = REPOSITORY, **given: object) -> list[Finding]:
    async def collect() -> list[Finding]:
        engine = f"triton://{','.join(addresses)}"
        settings = Settings(engine=engine, model_repository=repository, **given)  # type: ignore[arg-type]
        return [finding async for finding in check_servers(settings)]

    return asyncio.run(collect())


def bad(findings: list[Finding]) -> list[tuple[str, Level]]:
    assert all(finding.mend for finding in findings if finding.level is not Level.OK)
    return [(finding.check, finding.level) for finding in findings if finding.level is not Level.OK]


def copy(folder: Path) -> Path:
    """A copy of the project's repository, to spoil; the folder of its first model."""
    shutil.copytree(REPOSITORY, folder, dirs_exist_ok=True)
    return folder / "hiseg_b0"


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Triton]:
    """A second server, to harm."""
    with triton() as server:
        yield server


def test_two_good_servers_have_no_bad_findings(triton_server: Triton, other: Triton) -> None:
    findings = examine(triton_server.address, other.address)
    assert not bad(findings)
    assert {finding.check for finding in findings} == {
        *("reachable", "shared memory", "contract", "provider", "masks", "clock", "message size", "versions")
    }
    assert sum(other.address in finding.found for finding in findings) >= 6


def test_a_server_that_is_gone_is_reported(triton_server: Triton, other: Triton) -> None:
    other.kill()
    findings = examine(triton_server.address, other.address)
    assert ("reachable", Level.WRONG) in bad(findings)
    assert any(f"nothing listens at {other.address}" in finding.found for finding in findings)
    assert any(f"hiseg_b0 isn't on {other.address}" in finding.found for finding in findings)


def test_a_server_that_hangs_is_reported(other: Triton) -> None:
    other.pause()
    (finding,) = examine(other.address)
    assert (finding.check, finding.level) == ("reachable", Level.WRONG)
    assert "doesn't answer" in finding.found


def test_the_http_port_in_place_of_the_grpc_port_is_recognised(triton_server: Triton) -> None:
    (finding,) = examine(f"127.0.0.1:{triton_server.http}")
    assert (finding.check, finding.level) == ("reachable", Level.WRONG)
    assert "8000 is HTTP" in finding.mend


def test_an_unknown_host_name_is_reported() -> None:
    (finding,) = examine("no-such-host.invalid")
    assert (finding.check, finding.level) == ("reachable", Level.WRONG)
    assert "no-such-host.invalid" in finding.found


def test_gpu_models_on_a_machine_without_gpu_are_reported(tmp_path: Path) -> None:
    shutil.rmtree(copy(tmp_path) / "configs")
    with triton(tmp_path, arguments=("--exit-on-error=false", "--strict-readiness=false")) as server:
        findings = examine(server.address, repository=tmp_path)
    assert bad(findings) == [("models", Level.WRONG), ("models", Level.WRONG)]
    assert any("--model-config-name=cpu" in finding.mend for finding in findings)


def test_a_configuration_written_by_hand_is_checked(tmp_path: Path) -> None:
    configs = copy(tmp_path) / "configs"
    text = (configs / "cpu.pbtxt").read_text()
    head, _, rest = text.partition("model_warmup [")
    text = head.replace("num_versions: 2", "num_versions: 1") + rest.partition("\n]\n")[2]
    (configs / "cpu.pbtxt").write_text(text)
    with triton(tmp_path) as server:
        findings = examine(server.address, repository=tmp_path)
    assert bad(findings) == [("configuration", Level.WARNING)] * 2


def test_tritons_own_batching_is_reported(tmp_path: Path) -> None:
    configs = copy(tmp_path) / "configs"
    text = (configs / "cpu.pbtxt").read_text()
    head, _, rest = text.partition("model_warmup [")
    text = (head + rest.partition("\n]\n")[2]).replace("dims: [ -1, ", "dims: [ ")
    text = text.replace("max_batch_size: 0", "max_batch_size: 4\ndynamic_batching { }")
    (configs / "cpu.pbtxt").write_text(text)
    with triton(tmp_path) as server:
        findings = examine(server.address, repository=tmp_path)
    assert ("configuration", Level.WRONG) in bad(findings)


def test_masks_of_another_model_are_reported(triton_server: Triton, tmp_path: Path) -> None:
    """The local canary is another's: what the server gives is not what is stored."""
    canary = copy(tmp_path) / "1" / "canary.json"
    canary.write_text(json.dumps(json.loads(canary.read_text())[::-1]))
    assert bad(examine(triton_server.address, repository=tmp_path)) == [("masks", Level.WRONG)]


def test_without_the_servers_repository_masks_are_only_tried(triton_server: Triton, tmp_path: Path) -> None:
    assert bad(examine(triton_server.address, repository=tmp_path)) == [("masks", Level.WARNING)] * len(MODELS)


def test_servers_with_different_versions_and_models_of_one_variant_are_reported(
    triton_server: Triton, tmp_path: Path
) -> None:
    model = copy(tmp_path)
    shutil.copytree(model / "1", model / "2")
    add_float_b0(tmp_path, "a_b0")
    with triton(tmp_path) as server:
        findings = examine(triton_server.address, server.address, repository=tmp_path, default_variant="a_b0")
    of_all = [each for each in findings if each.check in ("models", "versions") and each.level is not Level.OK]
    assert bad(of_all) == [("models", Level.WARNING), ("versions", Level.WARNING), ("versions", Level.WARNING)]
    shared, lacking, versions = (finding.found for finding in of_all)
    assert "a_b0, hiseg_b0 are of one variant, b0: hiseg_b0 answers for it" in shared
    assert f"a_b0 isn't on {triton_server.address}" in lacking
    assert f"1 on {triton_server.address}, 2 on {server.address}" in versions


def test_a_default_variant_that_no_server_has_is_reported(triton_server: Triton) -> None:
    assert bad(examine(triton_server.address, default_variant="b7")) == [("models", Level.WRONG)]


def test_separate_shared_memory_is_reported(tmp_path: Path) -> None:
    if subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode:
        missing("a mount namespace needs more rights than these")
    with triton(within=ALONE) as server:
        findings = examine(server.address)
    assert bad(findings) == [("shared memory", Level.WARNING)]
    assert any("--ipc=host" in finding.mend for finding in findings)


def test_a_proxy_with_a_small_message_limit_is_reported(triton_server: Triton) -> None:
    async def collect() -> list[Finding]:
        async with narrow(triton_server.address) as address:
            settings = Settings(engine=f"triton://{address}", model_repository=REPOSITORY)
            return [finding async for finding in check_servers(settings)]

    findings = asyncio.run(collect())
    assert bad(findings) == [("message size", Level.WRONG)]
    assert any("64 MiB" in finding.found for finding in findings)
