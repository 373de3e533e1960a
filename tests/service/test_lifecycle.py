"""Start, drain and stop with real processes and real signals; the engine's duration is known.

See :mod:`benchmarks.gpu_like` for the engine.
"""

from __future__ import annotations

import io
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import PIL.Image
import pytest

from benchmarks.gpu_like import command
from benchmarks.harness.paths import ROOT
from benchmarks.harness.serving import Server, serving

pytestmark = pytest.mark.alone

HALF_A_SECOND = ("--constant", "500", "--roi", "0")


def slow(*cost: str) -> tuple[str, ...]:
    return command("--canvases", "1", *cost)


def post(server: Server, photo: bytes) -> httpx.Response:
    headers = {"content-type": "image/jpeg"}
    return httpx.post(server.url + "/v1/segment?boxes=", content=photo, headers=headers, timeout=30)


def send(pool: ThreadPoolExecutor, server: Server, photo: bytes, count: int) -> list[Future[httpx.Response]]:
    """Requests that are in progress when this returns."""
    requests = [pool.submit(post, server, photo) for _ in range(count)]
    with httpx.Client(base_url=server.url) as client:
        wait_for(client, f"hiseg_requests_in_progress {count:.1f}")
    return requests


def wait_for(client: httpx.Client, metric: str) -> None:
    until = time.monotonic() + 30
    while metric not in client.get("/metrics").text:
        assert time.monotonic() < until, f"{metric} did not come"
        time.sleep(0.005)


def test_sigterm_refuses_new_requests_at_once_and_finishes_the_accepted_ones(photo: bytes) -> None:
    with ThreadPoolExecutor(8) as pool, serving(slow(*HALF_A_SECOND), batch_budget_ms=1) as server:
        accepted = send(pool, server, photo, 3)
        with httpx.Client() as client:
            assert client.get(server.url + "/readyz").status_code == 200
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.1)
            for refused in (client.get(server.url + "/readyz"), post(server, photo)):
                assert refused.status_code == 503
                assert "retry-after" in refused.headers
        assert [request.result().status_code for request in accepted] == [200] * 3
        assert server.process.wait(20) == 0


def test_requests_are_accepted_until_a_load_balancer_must_have_noticed_the_shutdown(photo: bytes) -> None:
    with (
        ThreadPoolExecutor(8) as pool,
        serving(slow(*HALF_A_SECOND), batch_budget_ms=1, shutdown_delay_seconds=1) as server,
    ):
        accepted = send(pool, server, photo, 1)
        with httpx.Client() as client:
            server.process.send_signal(signal.SIGTERM)
            while client.get(server.url + "/readyz").status_code == 200:
                time.sleep(0.01)
            assert client.get(server.url + "/v2/health/ready").status_code == 503
            late = post(server, photo)
        assert [request.result().status_code for request in accepted] + [late.status_code] == [200, 200]
        assert server.process.wait(20) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_the_process(photo: bytes, number: signal.Signals) -> None:
    with ThreadPoolExecutor(8) as pool, serving(slow("--constant", "800", "--roi", "0"), code=1) as server:
        (accepted,) = send(pool, server, photo, 1)
        server.process.send_signal(number)
        time.sleep(0.1)
        assert server.process.poll() is None
        server.process.send_signal(number)
        server.process.wait(20)
        with pytest.raises(httpx.TransportError):
            accepted.result()


def test_the_drain_limit_ends_the_process(photo: bytes) -> None:
    settings = {"drain_seconds": 0.3, "body_timeout_seconds": 0.2}
    with ThreadPoolExecutor(8) as pool, serving(slow("--constant", "800", "--roi", "0"), code=1, **settings) as server:
        (accepted,) = send(pool, server, photo, 1)
        server.process.terminate()
        server.process.wait(20)
        with pytest.raises(httpx.TransportError):
            accepted.result()


def test_a_signal_before_it_is_ready_ends_it_at_once() -> None:
    process = subprocess.Popen(slow("--constant", "3000"), stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stderr is not None
    next(line for line in process.stderr if "until then" in line)
    process.terminate()
    assert process.wait(20) == 0
    assert "Ready" not in process.stderr.read()
    process.stderr.close()


def test_an_engine_that_hangs_cannot_hold_the_process_past_the_drain_limit(photo: bytes) -> None:
    hanging = slow("--constant", "800", "--roi", "0")
    with serving(hanging, code=1, drain_seconds=0.2, body_timeout_seconds=0.1, max_wait_ms=10_000) as server:
        # The caller has its 504 long before the engine is done: no request is in progress, but the engine works.
        query, headers = {"boxes": "", "deadline_ms": 2000}, {"content-type": "image/jpeg"}
        with httpx.Client(base_url=server.url, timeout=0.2) as client, pytest.raises(httpx.ReadTimeout):
            client.post("/v1/segment", content=photo, headers=headers, params=query)
        with httpx.Client(base_url=server.url) as client:
            wait_for(client, "hiseg_requests_in_progress 0.0")
        server.process.terminate()
        server.process.wait(20)


def test_it_listens_while_the_models_load_and_says_so(photo: bytes) -> None:
    """Warming up takes this one a second; meanwhile it is alive, but not ready."""
    process = subprocess.Popen([*slow("--constant", "300")], stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stderr is not None
    try:
        line = next(line for line in process.stderr if "until then" in line)
        url = line.split("until then ")[1].split()[0]
        assert httpx.get(url + "/healthz").status_code == 200
        for refused in (httpx.get(url + "/readyz"), post(Server(url, "", process), photo)):
            assert refused.status_code == 503
            assert refused.json()["detail"] == "the models are being loaded"
        next(line for line in process.stderr if "Ready" in line)
        assert httpx.get(url + "/readyz").status_code == 200
    finally:
        process.terminate()
        assert process.wait(20) == 0
        process.stderr.close()


def test_callers_that_hang_up_are_noticed_and_their_work_is_dropped(photo: bytes) -> None:
    with ThreadPoolExecutor(8) as pool, serving(slow(*HALF_A_SECOND), batch_budget_ms=1) as server:
        (accepted,) = send(pool, server, photo, 1)
        request = (
            b"POST /v1/segment?boxes= HTTP/1.1\r\nhost: x\r\ncontent-type: image/jpeg\r\ncontent-length: "
            + str(len(photo)).encode()
            + b"\r\n\r\n"
            + photo
        )
        host, _, port = server.url.removeprefix("http://").partition(":")
        connections = [socket.create_connection((host, int(port))) for _ in range(20)]
        for connection in connections:
            connection.sendall(request)
        with httpx.Client(base_url=server.url) as client:
            wait_for(client, "hiseg_requests_in_progress 21.0")
            for connection in connections:
                connection.close()
            wait_for(client, "hiseg_requests_in_progress 1.0")
            assert accepted.result().status_code == 200
            # Batches are counted a moment after their answers are out.
            wait_for(client, 'hiseg_batch_images_sum{model="gpu_like"} 1.0')
            text = client.get("/metrics").text
        assert 'hiseg_requests_total{outcome="gone",transport="http"} 20.0' in text
        assert 'hiseg_jobs_dropped_total{model="gpu_like",reason="gone"} 20.0' in text


HANGING = """
import time, typer
from hiseg.images.encoded import EncodedImage
EncodedImage.decode = lambda *_: time.sleep(60)
from benchmarks import gpu_like
typer.run(gpu_like.main)
"""


def test_a_thread_that_hangs_cannot_hold_the_process_past_the_drain_limit() -> None:
    file = io.BytesIO()
    PIL.Image.new("RGB", (64, 48)).save(file, "PNG")
    limits = {"drain_seconds": 0.5, "body_timeout_seconds": 0.2}
    with serving((sys.executable, "-c", HANGING), code=1, **limits) as server:
        query, headers = {"deadline_ms": 300, "boxes": "1,1,9,9"}, {"content-type": "image/png"}
        with httpx.Client(base_url=server.url, timeout=30) as client:
            assert client.post("/v1/segment", content=file.getvalue(), headers=headers, params=query).status_code == 504
            held = next(
                line for line in client.get("/metrics").text.splitlines() if line.startswith("hiseg_held_bytes")
            )
            assert float(held.split()[1]) > 0, "it is counted for as long as its thread runs"
        server.process.terminate()
        server.process.wait(10)
