"""The service on Triton: none at the start, one that stops, and the embedded engine as fallback."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import httpx
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from benchmarks.harness.paths import ROOT
from benchmarks.harness.repository import MODELS
from benchmarks.harness.serving import SERVE, Server, serving
from benchmarks.harness.triton.models import targets_of
from benchmarks.harness.triton.server import Triton, triton
from hiseg.core.extras import install_command
from hiseg.engines.contract import PRECISIONS
from tests.service.cli.running import call

BOXES = {"boxes": "22,15,365,512;526,18,949,512"}


@pytest.fixture
def gone() -> Iterator[Triton]:
    """A server that was killed and can be started."""
    with triton() as server:
        server.kill()
        yield server


@contextmanager
def started(*arguments: str) -> Iterator[Server]:
    """The service as soon as it listens, ready or not."""
    process = subprocess.Popen([*SERVE, *arguments], stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stderr is not None
    log = ""
    while "until then" not in log:
        log += process.stderr.readline()
    url, address = re.search(r"until then (http://\S+)", log), re.search(r"gRPC on (\S+)", log)
    assert url
    assert address
    try:
        yield Server(url[1], address[1], process)
    finally:
        process.terminate()
        assert process.wait(20) == 0
        process.stderr.close()


def post(server: Server, photo: bytes) -> httpx.Response:
    url, headers = server.url + "/v1/segment", {"content-type": "image/jpeg"}
    return httpx.post(url, content=photo, params=BOXES, headers=headers, timeout=30)


def wait_for(server: Server, photo: bytes, status: int, engine: str | None = None) -> httpx.Response:
    """The first answer with that status, made by that engine."""
    for _ in range(500):
        answer = post(server, photo)
        if answer.status_code == status and (engine is None or answer.json()["model"]["engine"] == engine):
            return answer
        time.sleep(0.02)
    raise AssertionError(f"{answer.status_code}: {answer.text[:300]}")


def health(server: Server) -> str:
    with grpc.insecure_channel(server.grpc.removeprefix("grpc://"), [("grpc.enable_http_proxy", 0)]) as channel:
        status = HealthStub(channel).Check(HealthCheckRequest()).status
    return str(HealthCheckResponse.ServingStatus.Name(status))


def test_ready_follows_triton_while_the_service_stays_up(gone: Triton, photo: bytes) -> None:
    with started("--engine", targets_of(gone)) as server:
        assert httpx.get(server.url + "/healthz").status_code == 200
        assert httpx.get(server.url + "/readyz").status_code == 503
        assert (post(server, photo).status_code, health(server)) == (503, "NOT_SERVING")
        gone.start()
        first = wait_for(server, photo, 200).json()
        assert first["model"].pop("precision") in PRECISIONS  # of Triton's parameters
        assert first["model"] == {"name": "hiseg_b0", "version": "1", "variant": "b0", "engine": "triton"}
        assert httpx.get(server.url + "/readyz").json()["engines"] == dict.fromkeys(MODELS, "triton")
        gone.kill()
        refused = wait_for(server, photo, 503)
        assert refused.headers["retry-after"] == "1"
        # Nobody asks for the other models: that their server is gone shows a little later.
        for _ in range(500):
            if httpx.get(server.url + "/readyz").status_code == 503:
                break
            time.sleep(0.02)
        assert health(server) == "NOT_SERVING"
        gone.start()
        assert wait_for(server, photo, 200).json()["instances"] == first["instances"]
        assert (httpx.get(server.url + "/readyz").status_code, health(server)) == (200, "SERVING")
        metrics = httpx.get(server.url + "/metrics").text
        assert f'hiseg_triton_state{{endpoint="{gone.address}",model="hiseg_b0",state="up"}} 1.0' in metrics
        assert 'hiseg_rejected_total{reason="NO_ENGINE"}' in metrics


def test_with_a_fallback_every_request_is_answered_and_names_its_engine(gone: Triton, photo: bytes) -> None:
    with serving((*SERVE, "--engine", targets_of(gone), "--fallback", "onnx")) as server:
        before = post(server, photo).json()
        assert before["model"]["engine"] == "onnx-fallback"
        assert httpx.get(server.url + "/readyz").json()["engines"] == dict.fromkeys(MODELS, "onnx-fallback")
        assert 'engine="onnx-fallback",model="hiseg_b0"' in httpx.get(server.url + "/metrics").text
        gone.start()
        there = wait_for(server, photo, 200, "triton").json()
        assert there["instances"] == before["instances"]
        gone.kill()
        after = post(server, photo).json()
        assert after["model"]["engine"] == "onnx-fallback"
        assert after["instances"] == before["instances"]


def test_models_on_triton_alone_need_no_runtime() -> None:
    code = (
        "import sys; sys.modules['onnxruntime'] = None\n"
        "import hiseg.app, hiseg.cli.doctor, hiseg.cli.serve, hiseg.doctor.servers, hiseg.engines.triton.engine"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr


def test_without_the_client_for_triton_the_error_names_what_is_missing() -> None:
    code = (
        "import sys; sys.modules['tritonclient'] = None\n"
        "from hiseg.cli.main import app; app(['serve', '--port', '0', '--grpc-port', '0', '--engine', 'triton://a'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(install_command("triton"))


@pytest.mark.parametrize("engine", ["tensorrt", "triton://", "http://a:8001"])
def test_an_unknown_engine_is_refused_with_the_supported_forms(engine: str) -> None:
    assert "triton://host:port" in call(*SERVE[1:], "--engine", engine, expect=2).err
