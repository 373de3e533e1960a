"""Creates the environments of the peers and runs their servers as processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from benchmarks.peers.ways import Way
from hiseg.bench.sender import Request

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = ROOT / ".venv-peers"
REQUIREMENTS = Path(__file__).parent / "requirements"
PEERS = {
    "fastapi": "FastAPI",
    "litserve": "LitServe",
    "bentoml": "BentoML",
    "ray": "Ray Serve",
    "mlserver": "MLServer",
}
START_S, STOP_S = 120, 20
HEADERS = {"content-type": "image/jpeg"}


def query(request: Request) -> dict[str, str]:
    """The boxes, as all of them take them."""
    return {"boxes": ";".join(",".join(map(str, box)) for box in request.boxes)}


def environment(peer: str) -> Path:
    """The folder of a peer's programs, which are installed if they aren't yet."""
    folder = ENVIRONMENTS / peer
    done = folder / ".ready"
    if not done.exists():
        subprocess.run(["python3.11", "-m", "venv", folder], check=True)
        install = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, "--requirement", REQUIREMENTS / f"{peer}.txt"], check=True)
        done.touch()
    return folder / "bin"


@contextmanager
def peer_serving(peer: str, way: str, first: Request) -> Iterator[str]:
    """The URL of a peer's server that has answered the request; all of its processes are gone afterwards.

    Raises:
        RuntimeError: it ended, or didn't answer within two minutes; what it wrote is in the message.
    """
    programs = environment(peer)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command: list[str | Path] = [programs / "python", "-m", f"benchmarks.peers.apps.{peer}_app"]
    if peer == "bentoml":
        application = "benchmarks.peers.apps.bentoml_app:Front"
        command = [programs / "bentoml", "serve", application, "--host", "127.0.0.1", "--port", str(port)]
    variables = os.environ | {"PEER_WAY": way, "PEER_PORT": str(port), "PYTHONPATH": str(ROOT)}
    log = ROOT / "runs" / "peers" / f"{peer}-{way}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=variables, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _await(url, process, first, log)
        yield url
    finally:
        _end(process)


def _await(url: str, process: subprocess.Popen[bytes], first: Request, log: Path) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        try:
            answer = httpx.post(
                url + "/v1/segment", params=query(first), content=first.image, headers=HEADERS, timeout=START_S
            )
            if answer.status_code == 200:
                return
        except httpx.HTTPError:
            pass  # it doesn't listen yet
        time.sleep(0.3)
    raise RuntimeError(f"it doesn't serve:\n{log.read_text()[-3000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """First ask, then insist: some leave workers behind."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, how)
            process.wait(STOP_S)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def describe(way: Way) -> str:
    """A way in words."""
    batches = f"batches of up to {way.batch}" if way.batch > 1 else "no batches"
    return f"{way.workers} x {way.threads} thread{'s' if way.threads > 1 else ''}, {batches}"
