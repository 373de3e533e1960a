"""Starts the service on loopback, unless it gets the address of one, and locust against it: ``make loadtest``.

Locust runs in a process of its own, since gevent patches the standard library.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from benchmarks.harness.serving import serving

ROOT = Path(__file__).parent.parent
REPORTS = ROOT / "runs"


def main() -> int:
    """Locust's exit code."""
    parser = argparse.ArgumentParser(prog="python -m loadtest", description="load a service and hold it to marks")
    parser.add_argument("--host", help="the service's HTTP URL; without it one is started here")
    parser.add_argument("--grpc", help="its gRPC URL; needed with --host")
    parser.add_argument("--users", type=int, default=6, help="they ask for 4.5 requests a second, six of them")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--steps", action="store_true", help="more and more users instead, to find the knee")
    given = parser.parse_args()
    if (given.host is None) != (given.grpc is None):
        parser.error("--host and --grpc go together")
    with ExitStack() as stack:
        host, grpc = given.host, given.grpc
        if host is None:
            server = stack.enter_context(serving())
            host, grpc = server.url, server.grpc
        name = "steps" if given.steps else "steady"
        REPORTS.mkdir(exist_ok=True)
        report = REPORTS / f"loadtest-{name}.html"
        command = [sys.executable, "-m", "locust", "-f", f"loadtest/{name}.py", "--headless", "--only-summary"]
        command += ["--host", host, "--grpc", grpc, "--html", report, "--stop-timeout", "10"]
        if not given.steps:
            users = str(given.users)
            command += ["-u", users, "-r", users, "-t", f"{given.seconds}s", "--reset-stats"]
        code = subprocess.run(command, cwd=ROOT, check=False).returncode
        print(f"report: {report.relative_to(ROOT)}")
        return code


if __name__ == "__main__":
    sys.exit(main())
