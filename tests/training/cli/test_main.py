"""``hiseg-train`` lists its commands without loading them, and takes names and flags as upstream spells them too."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from hiseg.cli.lazy import load
from hiseg.core.version import hiseg_version
from hiseg_training.cli.main import COMMANDS, app

HEAVY = {"torch", "lightning", "timm", "onnx", "onnxruntime", "cv2", "numpy", "pycocotools", "pydantic_settings"}


def test_help_lists_every_command_with_its_summary() -> None:
    output = " ".join(CliRunner().invoke(app, ["--help"]).output.replace("│", " ").split())
    for name, (_, summary) in COMMANDS.items():
        assert f"{name} {summary}" in output


@pytest.mark.parametrize("name", COMMANDS)
def test_a_summary_says_what_the_command_says_of_itself(name: str) -> None:
    module, summary = COMMANDS[name]
    assert " ".join(load(module, name).help.split()).startswith(summary.removesuffix("."))


def test_the_interpreter_alone_lists_them_and_loads_no_library() -> None:
    code = (
        "import runpy, sys; sys.argv[1:] = ['--help']\n"
        "try: runpy.run_module('hiseg_training', run_name='__main__')\n"
        "except SystemExit: print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Usage: hiseg-train [OPTIONS] COMMAND" in done.stdout
    assert not set(done.stdout.splitlines()[-1].split()) & HEAVY


def test_the_version_is_that_of_hiseg() -> None:
    assert CliRunner().invoke(app, ["--version"]).output == f"hiseg {hiseg_version()}\n"


@pytest.mark.parametrize("command", [("export_unet",), ("export-unet",), ("export_filter", "edge"), ("data", "build")])
def test_commands_are_found_by_both_spellings(command: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, [*command, "--help"])
    assert done.exit_code == 0
    assert f"Usage: root {' '.join(command)} [OPTIONS]".replace("_", "-") in done.output.replace("_", "-")
