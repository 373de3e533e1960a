"""Measures after what time a newly published version answers, under load: ``python -m benchmarks.rolling``.

Five versions of B0 appear by a rename, as ``hiseg-train publish`` installs them, while three callers keep the service
busy. The service polls its repository at its default interval. On a machine that does other work too, compare the
result with the duration of a request.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from benchmarks.harness.paths import ROOT
from benchmarks.harness.repository import REPOSITORY
from benchmarks.harness.serving import SERVE, serving
from benchmarks.harness.triton.models import add_version

BOXES = {"boxes": "22,15,365,512;526,18,949,512"}
CALLERS = 3
VERSIONS = range(2, 7)
MOST_S = 30.0


class Callers:
    """Ask all the time, each as soon as it was answered."""

    def __init__(self, url: str) -> None:
        self.first: dict[str, float] = {}
        """When each version answered first."""
        self.seconds: list[float] = []
        """That each answered request took."""
        self.failed = 0
        self.over = threading.Event()
        self._url, self._photo = url + "/v1/segment", (ROOT / "docs/samples/people.jpg").read_bytes()
        self._lock = threading.Lock()

    def ask(self) -> None:
        """Until it is over."""
        with httpx.Client(timeout=60, headers={"content-type": "image/jpeg"}) as client:
            while not self.over.is_set():
                started = time.monotonic()
                answer = client.post(self._url, params=BOXES, content=self._photo)
                answered = time.monotonic()
                with self._lock:
                    if answer.status_code != 200:
                        self.failed += 1
                        continue
                    self.seconds.append(answered - started)
                    self.first.setdefault(answer.json()["model"]["version"], answered)

    def wait_for(self, version: str) -> float:
        """When it answered first; raises TimeoutError if it doesn't."""
        until = time.monotonic() + MOST_S
        while version not in self.first:
            if time.monotonic() > until:
                raise TimeoutError(f"version {version} did not answer within {MOST_S:.0f} s")
            time.sleep(0.005)
        return self.first[version]


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        repository = Path(shutil.copytree(REPOSITORY, Path(name) / "models"))
        with serving((*SERVE[:-1], repository)) as server, ThreadPoolExecutor(CALLERS) as pool:
            callers = Callers(server.url)
            asking = [pool.submit(callers.ask) for _ in range(CALLERS)]
            try:
                callers.wait_for("1")
                for version in VERSIONS:
                    add_version(repository, version)
                    renamed = time.monotonic()
                    took = callers.wait_for(str(version)) - renamed
                    print(f"version {version} answered {took:.2f} s after its rename", flush=True)
            finally:
                callers.over.set()
            for caller in asking:
                caller.result()
    each = statistics.median(callers.seconds)
    print(f"{len(callers.seconds)} requests answered, {callers.failed} failed; {each:.2f} s each")
    print(f"load of the machine {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
