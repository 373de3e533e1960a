"""Starts the service to be attacked, and looks at it from outside: memory, connections, CPU, its own figures."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import resource
import secrets
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.harness.ports import free_ports
from benchmarks.harness.repository import REPOSITORY
from benchmarks.harness.serving import READY
from benchmarks.hostile.kind import Kind, Target

DESCRIPTORS = 1024
"""Files and connections that the service may open: what Linux gives a process that asks for nothing."""
KEYS_FILE = "api_keys"
OTHER_KEYS = 1000
START_SECONDS = 60.0
FIGURES = ("hiseg_held_bytes", "hiseg_requests_in_progress", "hiseg_grpc_streams")
"""Gauges that are 0 when nothing goes on."""
MEBI = 1 << 20


def key_lines(*keys: str) -> list[str]:
    """The lines of a file of keys: a thousand that nobody has, and these."""
    others = [hashlib.sha256(b"%d" % number).hexdigest() for number in range(OTHER_KEYS)]
    known = [hashlib.sha256(key.encode()).hexdigest() for key in keys]
    return [f"caller{number} {digest}\n" for number, digest in enumerate([*others, *known])]


@dataclass
class Service:
    """A running one.

    Attributes:
        process: its process.
        target: where it is.
        log: file of its log.
    """

    process: subprocess.Popen[bytes]
    target: Target
    log: Path

    def wait_until_ready(self) -> None:
        """Wait until it takes requests.

        Raises:
            RuntimeError: it doesn't in a minute; its log is in the message.
        """
        give_up = time.monotonic() + START_SECONDS
        while not READY.search(self.log.read_text()):
            if self.process.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError(f"the service did not start:\n{self.log.read_text()}")
            time.sleep(0.1)

    def resident_mib(self) -> float:
        """Resident memory, in MiB."""
        return float(psutil.Process(self.process.pid).memory_info().rss / MEBI)

    def forget_peak(self) -> None:
        """Let the highest resident memory count from now."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def peak_mib(self) -> float:
        """Highest resident memory since, in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) / 1024

    def sockets(self) -> int:
        """Number of sockets that it has open, those that it listens on included."""
        count = 0
        for link in Path(f"/proc/{self.process.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                count += os.readlink(link).startswith("socket:")
        return count

    def cpu_s(self) -> float:
        """CPU seconds that it has used."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def figures(self) -> dict[str, float]:
        """What its metrics say of requests that go on.

        Raises:
            OSError: it doesn't answer.
        """
        scheme = "https" if self.target.tls else "http"
        url = f"{scheme}://127.0.0.1:{self.target.http}/metrics"
        # The certificate was made for this run.
        context = ssl._create_unverified_context() if self.target.tls else None
        with urllib.request.urlopen(url, timeout=10, context=context) as answer:
            text = answer.read().decode()
        return {name: float(re.findall(rf"^{name} (\S+)$", text, re.M)[0]) for name in FIGURES}

    def tracebacks(self) -> dict[str, int]:
        """The last lines of the tracebacks in its log, and how often each came."""
        blocks = re.findall(
            r"^Traceback \(most recent call last\):\n(?:[ \t|+].*\n|\n)*(\S.*)",
            self.log.read_text(errors="replace"),
            re.M,
        )
        return dict(Counter(block[:200] for block in blocks))

    def stop(self) -> None:
        """End it, by force if need be, and remove its folder."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(8)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        shutil.rmtree(self.target.folder, ignore_errors=True)


def start(kind: Kind, source: Path) -> Service:
    """Start the service with defaults and B0.

    Args:
        kind: says whether it has TLS and keys.
        source: folder that ``hiseg`` is imported from.
    """
    folder = Path(tempfile.mkdtemp(prefix="hiseg-hostile-"))
    http, grpc = free_ports(2)
    variables = {name: value for name, value in os.environ.items() if not name.startswith("HISEG_")}
    variables |= {"PYTHONPATH": str(source)}
    key, good_key = (secrets.token_hex(), secrets.token_hex()) if kind.keys else ("", "")
    if kind.keys:
        (folder / KEYS_FILE).write_text("".join(key_lines(key, good_key)))
        variables["HISEG_API_KEYS_FILE"] = str(folder / KEYS_FILE)
    if kind.tls:
        certify(folder)
        for transport in ("HTTP", "GRPC"):
            variables |= {
                f"HISEG_{transport}_TLS_{part.upper()}": str(folder / f"{part}.pem") for part in ("cert", "key")
            }
    log = folder / "log"
    arguments = ["--port", str(http), "--grpc-port", str(grpc), "--repository", str(REPOSITORY)]
    with log.open("w") as opened:
        process = subprocess.Popen(
            [sys.executable, "-m", "hiseg", "serve", *arguments],
            stderr=opened,
            stdout=opened,
            cwd=folder,
            env=variables,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS)),
        )
    return Service(process, Target(http, grpc, folder, key, good_key, kind.tls), log)


def certify(folder: Path) -> None:
    """Make a key and a certificate for the service."""
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run([*request, *names, *files], cwd=folder, check=True, capture_output=True)
