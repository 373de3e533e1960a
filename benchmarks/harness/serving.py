"""Runs the real service in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.harness.paths import HISEG, ROOT
from benchmarks.harness.repository import REPOSITORY

SERVE: tuple[str | Path, ...] = (HISEG, "serve", "--port", "0", "--grpc-port", "0", "--repository", REPOSITORY)
"""Serve B0 on the embedded engine and free ports."""

READY = re.compile(r"Ready: |\"Ready\"")
"""In the last line of a start, as text or as JSON."""
PLAYGROUND = re.compile(r"(?:Playground  |\"playground\": \")(https?://[^\s\"]+)")
GRPC = re.compile(r"(?:gRPC        |\"grpc\": \")grpcs?://([^\s\"]+)")


@dataclass
class Server:
    """A `hiseg serve` process.

    Attributes:
        url: of HTTP.
        grpc: URL of gRPC.
        process: its standard error is read all the time, so that a full pipe can't stop it.
        log: the lines of its standard error, of which more and more come.
    """

    url: str
    grpc: str
    process: subprocess.Popen[str]
    log: list[str] = field(default_factory=list)


@contextmanager
def serving(
    command: Sequence[str | Path] = SERVE, code: int = 0, folder: Path = ROOT, **settings: object
) -> Iterator[Server]:
    """The real service in a process of its own, on a free port, ready; stopped at the end unless it has ended.

    Args:
        command: what starts it.
        code: what it must exit with.
        folder: the working folder.
        settings: `HISEG_*` variables, in lower case and without the prefix.

    Raises:
        RuntimeError: it did not start; its log is in the message.
        AssertionError: it exited with another code.
    """
    variables = os.environ | {f"HISEG_{name.upper()}": str(value) for name, value in settings.items()}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=folder, env=variables)
    assert process.stderr is not None
    log: list[str] = []
    for line in process.stderr:
        log.append(line)
        if READY.search(line):
            break
    url, grpc = PLAYGROUND.search("".join(log)), GRPC.search("".join(log))
    if url is None or grpc is None or process.poll() is not None:
        process.kill()
        process.wait()
        process.stderr.close()
        raise RuntimeError("the service did not start:\n" + "".join(log))
    reader = threading.Thread(target=log.extend, args=(process.stderr,), daemon=True)
    reader.start()
    try:
        yield Server(url[1], f"grpc://{grpc[1]}", process, log)
    finally:
        if process.poll() is None:
            process.terminate()
        ended = process.wait(30)
        reader.join()
        process.stderr.close()
        assert ended == code, f"the service ended with {ended}"
