"""``hiseg serve`` ends with an error when it can't start; the rest is tested with the service itself."""

from __future__ import annotations

from tests.service.cli.running import hiseg


def test_a_service_without_models_says_so_and_ends() -> None:
    error = hiseg("serve", "--port", "0", "--repository", "nowhere", expect=1).stderr
    assert "nowhere" in error.splitlines()[-1]
    assert "Traceback" not in error
