"""Each kind of user against the real service, in locust's own process, as in the container."""

from __future__ import annotations

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from benchmarks.harness.paths import ROOT
from benchmarks.harness.serving import Server, serving
from tests.docker.test_compose import SERVICES

NAMES = {"HTTP coco_rle", "Segment", "frame"}
ONE_OF_EACH = json.dumps([{"user_class_name": name, "fixed_count": 1} for name in ("Web", "Unary", "Camera")])


def locust(server: Server, report: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """One user of each kind for a second; what is under way then is finished, however slow the machine is."""
    command = [sys.executable, "-m", "locust", *SERVICES["loadtest"]["command"], "--json", "--html", report]
    command += ["-u", "3", "-r", "3", "-t", "1s", "--stop-timeout", "60", "--config-users", ONE_OF_EACH]
    command += ["--host", server.url, "--grpc", server.grpc, *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_every_kind_of_user_is_served_by_a_service_that_wants_a_key(tmp_path: Path) -> None:
    key = "correct horse"
    # How fast it goes says nothing on a busy machine: only failures count here.
    options = ["--api-key", key, "--max-p95", "1e9", "--min-throughput", "0"]
    with serving(api_keys=sha256(key.encode()).hexdigest()) as server:
        done = locust(server, tmp_path / "report.html", *options)
    assert done.returncode == 0, done.stderr + done.stdout
    rows = {row["name"]: row for row in json.loads(done.stdout[done.stdout.index("[\n") :])}
    assert set(rows) >= NAMES
    assert all(row["num_failures"] == 0 and row["num_requests"] > 0 for row in rows.values())
    assert "all marks passed" in done.stdout
    assert "HTTP coco_rle" in (tmp_path / "report.html").read_text()


def test_a_missed_mark_is_the_exit_code(server: Server, tmp_path: Path) -> None:
    done = locust(server, tmp_path / "report.html", "--max-p95", "0.001")
    assert done.returncode == 1, done.stderr
    assert "missed: p95" in done.stdout
