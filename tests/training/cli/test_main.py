"""``hiseg-train`` lists its commands without loading them, and takes names and flags as upstream spells them too."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from hiseg.cli.lazy import load
from hiseg.core.version import hiseg_version
from hiseg_training.cli.main import COMMANDS, app
from tests.service.cli.options_shown import silent, ugly

HEAVY = {"torch", "lightning", "timm", "onnx", "onnxruntime", "cv2", "numpy", "pycocotools", "pydantic_settings"}


def test_help_lists_every_command_with_its_summary() -> None:
    output = " ".join(CliRunner().invoke(app, ["--help"]).output.replace("│", " ").split())
    for name, (_, summary, _) in COMMANDS.items():
        assert f"{name} {summary}" in output


@pytest.mark.parametrize("name", COMMANDS)
def test_a_summary_says_what_the_command_says_of_itself(name: str) -> None:
    module, summary, _ = COMMANDS[name]
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


def test_every_option_of_every_command_shows_its_default() -> None:
    assert not silent(COMMANDS, "hiseg-train")


def test_every_option_is_described_and_shown_without_a_type_of_python() -> None:
    assert not ugly(COMMANDS, "hiseg-train")


def test_no_help_needs_pytorch() -> None:
    code = (
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name in ('torch', 'onnx', 'onnxruntime', 'lightning', 'timm', 'tqdm', 'pycocotools'):\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "from hiseg_training.cli.main import COMMANDS, app\n"
        "for arguments in [*([name, '--help'] for name in COMMANDS), ['configs']]:\n"
        "    try: app(arguments, prog_name='hiseg-train')\n"
        "    except SystemExit as ended: print('ended with', ended.code)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ended = [line.split()[-1] for line in done.stdout.splitlines() if line.startswith("ended with")]
    assert ended == ["0"] * len(COMMANDS) + ["2"]
    (said,) = done.stderr.splitlines()
    assert said.startswith("hiseg-train configs needs packages that aren't installed: ")
    assert "training" in said


def test_the_version_is_that_of_hiseg() -> None:
    assert CliRunner().invoke(app, ["--version"]).output == f"hiseg {hiseg_version()}\n"


@pytest.mark.parametrize("command", [("export_unet",), ("export-unet",), ("export_filter", "edge"), ("data", "build")])
def test_commands_are_found_by_both_spellings(command: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, [*command, "--help"])
    assert done.exit_code == 0
    assert f"Usage: root {' '.join(command)} [OPTIONS]".replace("_", "-") in done.output.replace("_", "-")
