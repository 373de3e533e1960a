"""Each kind of user against the real service, as `make loadtest` runs them, in locust's own process."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.conftest import ROOT, Server

NAMES = {"HTTP coco_rle", "Segment", "frame"}


def locust(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "locust", "-f", "loadtest/steady.py", "--headless", "--json"]
    command += ["--host", server.url, "--grpc", server.grpc, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_every_kind_of_user_is_served(server: Server) -> None:
    # How fast it goes says nothing on a busy machine: only failures count here.
    done = locust(server, "-u", "6", "-r", "6", "-t", "3s", "--max-p95", "1e9", "--min-throughput", "0")
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(done.stdout[done.stdout.index("[\n") :])}
    assert set(rows) >= NAMES
    assert all(row["num_failures"] == 0 and row["num_requests"] > 0 for row in rows.values())
    assert "all marks passed" in done.stdout


def test_a_missed_mark_is_the_exit_code(server: Server) -> None:
    done = locust(server, "-u", "6", "-r", "6", "-t", "2s", "--max-p95", "0.001")
    assert done.returncode == 1, done.stderr
    assert "missed: p95" in done.stdout
