"""The Triton of the other tests can be killed, paused and restarted, and leaves nothing behind."""

from __future__ import annotations

import httpx
import pytest

from benchmarks.harness.repository import MODELS
from benchmarks.harness.triton.server import Control, triton


def test_killed_stopped_and_back_on_the_same_ports() -> None:
    with triton() as server:
        address, first = server.address, server.process.pid
        assert len(server.regions) == len(MODELS)
        server.kill()
        assert not server.regions
        with pytest.raises(httpx.ConnectError):
            httpx.get(server.url)
        server.start()
        assert (server.address, server.process.pid != first) == (address, True)
        server.pause()
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"{server.url}/v2/health/live", timeout=0.3)
        server.resume()
        assert httpx.get(f"{server.url}/v2/health/live", timeout=20).status_code == 200
        server.terminate()
        assert server.wait_until_ended() == 0
    assert not server.regions


def test_models_come_and_go() -> None:
    with triton(control=Control.EXPLICIT) as server:
        ready = f"{server.url}/v2/models/hiseg_b0/ready"
        assert httpx.get(ready).status_code == 200
        assert server.unload("hiseg_b0").status_code == 200
        assert httpx.get(ready).status_code == 400
        assert server.load("hiseg_b0").status_code == 200
        assert httpx.get(ready).status_code == 200
