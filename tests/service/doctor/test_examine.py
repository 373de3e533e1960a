"""All checks in order: with settings that are refused, and with Triton servers instead of the embedded engine."""

from __future__ import annotations

import asyncio
import sys

import pytest

from benchmarks.harness.repository import REPOSITORY
from hiseg.core.extras import install_command
from hiseg.doctor import provider
from hiseg.doctor.examine import examine
from hiseg.doctor.finding import Finding

NOBODY = "triton://127.0.0.1:9"


def findings(**overrides: object) -> list[Finding]:
    async def collect() -> list[Finding]:
        return [finding async for finding in examine({"model_repository": REPOSITORY} | overrides)]

    return asyncio.run(collect())


def test_settings_that_are_refused_are_all_that_is_said() -> None:
    (finding,) = findings(max_boxes=1000, max_batch_boxes=10)
    assert (finding.check, finding.level.name) == ("settings", "WRONG")
    assert "max_boxes (1000) is over max_batch_boxes (10)" in finding.found


def test_without_a_runtime_nothing_else_of_the_engine_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "find_spec", lambda name: None)
    monkeypatch.setattr(provider, "installed_runtimes", list)
    found = {finding.check: finding for finding in findings(port=0, grpc_port=0)}
    assert found["runtime"].level.name == "WRONG"
    assert not {"provider", "contract", "masks"} & found.keys()


def test_servers_are_asked_instead_of_the_embedded_engine() -> None:
    found = {finding.check: finding for finding in findings(engine=NOBODY, port=0, grpc_port=0)}
    assert found["reachable"].level.name == "WRONG"
    assert "masks" not in found


def test_without_tritons_client_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tritonclient.grpc.aio", None)
    monkeypatch.delitem(sys.modules, "hiseg.doctor.servers", raising=False)
    found = {finding.check: finding for finding in findings(engine=NOBODY, port=0, grpc_port=0)}
    assert found["reachable"].mend == install_command("triton")
