"""The command line lists all commands, and each command imports only what it needs."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from hiseg.cli.lazy import load
from hiseg.cli.main import COMMANDS, app
from hiseg.core.version import hiseg_version

HEAVY = {"fastapi", "uvicorn", "onnxruntime", "pydantic_settings", "cv2", "numpy", "grpc", "PIL", "prometheus_client"}
"""Typer itself loads pydantic where it is there."""


def loaded(*arguments: str) -> set[str]:
    """Top-level modules that a command loads."""
    code = "import sys; from hiseg.cli.main import app; app(sys.argv[1:], standalone_mode=False)"
    show = "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    command = [sys.executable, "-c", f"{code}\n{show}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_help_lists_every_command_with_its_summary() -> None:
    output = " ".join(CliRunner().invoke(app, ["--help"]).output.replace("│", " ").split())
    for name, (_, summary) in COMMANDS.items():
        assert f"{name} {summary}" in output


@pytest.mark.parametrize("name", COMMANDS)
def test_a_summary_says_what_the_command_says_of_itself(name: str) -> None:
    module, summary = COMMANDS[name]
    assert load(module, name).help.startswith(summary.removesuffix("."))


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("key", "web")])
def test_a_command_loads_no_library_of_the_others(arguments: tuple[str, ...]) -> None:
    assert not loaded(*arguments) & HEAVY


def test_listing_models_loads_no_server() -> None:
    assert not loaded("models", "--help") & {"fastapi", "grpc", "PIL", "prometheus_client"}


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_the_version_is_one_line(option: str) -> None:
    done = CliRunner().invoke(app, [option])
    assert (done.exit_code, done.output) == (0, f"hiseg {hiseg_version()}\n")


def test_an_unknown_command_is_refused() -> None:
    done = CliRunner().invoke(app, ["teach"])
    assert done.exit_code == 2
    assert "No such command 'teach'" in done.output


def test_the_interpreter_alone_can_run_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "hiseg", "--help"], capture_output=True, text=True, check=True)
    assert "Usage: hiseg [OPTIONS]" in done.stdout
    assert "serve" in done.stdout
