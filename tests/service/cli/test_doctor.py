"""``hiseg doctor`` as a user and as a script run it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from benchmarks.harness.paths import HISEG
from benchmarks.harness.repository import REPOSITORY

FREE = {"HISEG_PORT": "0", "HISEG_GRPC_PORT": "0"}


def doctor(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [HISEG, "doctor", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | FREE | variables)


def test_without_bad_findings_it_exits_with_0() -> None:
    done = doctor("--repository", REPOSITORY)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "wrong " not in done.stdout
    assert "hiseg_b0 version 1 gives the masks that it was published with" in done.stdout


def test_a_bad_finding_exits_with_1_and_says_what_to_do(tmp_path: Path) -> None:
    done = doctor("--json", "--repository", tmp_path)
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert report["well"] is False
    (finding,) = [finding for finding in report["findings"] if finding["level"] == "wrong"]
    assert finding["check"] == "models"
    assert finding["mend"]


def test_invalid_settings_are_reported() -> None:
    done = doctor(HISEG_BODY_TIMEOUT_SECONDS="50", HISEG_MAX_BOXES="many")
    assert done.returncode == 1
    assert "max_boxes (HISEG_MAX_BOXES): 'many' is no whole number" in done.stdout
    done = doctor(HISEG_BODY_TIMEOUT_SECONDS="50")
    assert "body_timeout_seconds (50.0) is not under drain_seconds (30.0)" in done.stdout
