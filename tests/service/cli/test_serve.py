"""``hiseg serve`` ends with an error when it can't start; the rest is tested with the service itself."""

from __future__ import annotations

import pytest

from benchmarks.harness.paths import SAMPLE
from tests.service.cli.running import hiseg


def test_a_service_without_models_says_so_and_ends() -> None:
    error = hiseg("serve", "--port", "0", "--repository", "nowhere", expect=1).stderr
    assert "nowhere" in error.splitlines()[-1]
    assert "Traceback" not in error


@pytest.mark.parametrize("command", [("serve",), ("models",), ("run", str(SAMPLE)), ("video", "none.mp4"), ("doctor",)])
def test_refused_settings_end_every_command_that_reads_them(command: tuple[str, ...]) -> None:
    done = hiseg(*command, expect=1 if command == ("doctor",) else 2, HISEG_API_KEY_FILE="keys", HISEG_HOST="")
    told = done.stdout + done.stderr
    assert "HISEG_API_KEY_FILE is no setting; did you mean HISEG_API_KEYS_FILE?" in told
    assert "HISEG_HOST is empty" in told
    assert "Traceback" not in told
    if command != ("doctor",):
        assert len(told.splitlines()) == 2
