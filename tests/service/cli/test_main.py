"""The command line lists all commands, and each command imports only what it needs."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from benchmarks.harness.paths import ROOT
from hiseg.cli.lazy import load
from hiseg.cli.main import COMMANDS, app
from hiseg.core.extras import OF_EXTRAS, OF_THE_SERVICE, install_command
from hiseg.core.version import hiseg_version
from hiseg.settings import Settings
from tests.service.cli.options_shown import silent, ugly

HEAVY = {"fastapi", "uvicorn", "onnxruntime", "pydantic_settings", "cv2", "numpy", "grpc", "PIL", "prometheus_client"}
"""Typer itself loads pydantic where it is there."""
NEED_THE_SERVICE: tuple[str, ...] = ("video --help",)
"""Commands of which not even the help can be shown without the service's packages."""


def loaded(*arguments: str) -> set[str]:
    """Top-level modules that a command loads."""
    code = "import sys; from hiseg.cli.main import app; app(sys.argv[1:], standalone_mode=False)"
    show = "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    command = [sys.executable, "-c", f"{code}\n{show}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_help_lists_every_command_with_its_summary() -> None:
    output = " ".join(CliRunner().invoke(app, ["--help"]).output.replace("│", " ").split())
    for name, (_, summary, _) in COMMANDS.items():
        assert f"{name} {summary}" in output


@pytest.mark.parametrize("name", COMMANDS)
def test_a_summary_says_what_the_command_says_of_itself(name: str) -> None:
    module, summary, _ = COMMANDS[name]
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


def test_every_option_of_every_command_shows_its_default() -> None:
    assert not silent(COMMANDS, "hiseg")


def test_no_option_is_shown_with_a_type_of_python() -> None:
    assert not ugly(COMMANDS, "hiseg")


@pytest.mark.parametrize(
    ("command", "option", "setting"),
    [
        ("serve", "--host", "host"),
        ("serve", "--port", "port"),
        ("serve", "--grpc-port", "grpc_port"),
        ("serve", "--engine", "engine"),
        ("serve", "--fallback", "fallback"),
        ("video", "--variant", "default_variant"),
    ],
)
def test_a_default_in_words_is_that_of_the_setting(command: str, option: str, setting: str) -> None:
    found = load(COMMANDS[command].module, command)
    (parameter,) = (each for each in found.params if option in each.opts)
    assert str(parameter.default) == str(Settings.model_fields[setting].default)


WITHOUT_THE_SERVICE = (
    "import sys\n"
    "class Missing:\n"
    "    def find_spec(self, name, path=None, target=None):\n"
    "        if name.partition('.')[0] in sys.argv[1].split(','):\n"
    "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
    "sys.meta_path.insert(0, Missing())\n"
    "from hiseg.cli.main import app\n"
    "for arguments in sys.argv[2:]:\n"
    "    try: app(arguments.split(), prog_name='hiseg')\n"
    "    except SystemExit as ended: print(arguments, 'ended with', ended.code)\n"
)
"""Runs commands as if packages of the service weren't installed."""


def test_a_plain_install_says_what_to_install() -> None:
    """Typer itself needs pydantic, so that is there."""
    of_typer = {"annotated_types", "pydantic", "pydantic_core"}
    missing = ",".join(sorted({*OF_THE_SERVICE, *OF_EXTRAS, "onnxruntime"} - of_typer))
    fine = ["--version", "--help", *(f"{name} --help" for name in COMMANDS)]
    fine = [each for each in fine if each not in NEED_THE_SERVICE]
    refused = ["serve", "models", "doctor", *NEED_THE_SERVICE]
    run = [sys.executable, "-c", WITHOUT_THE_SERVICE, missing, *fine, *refused]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    ended = [line for line in done.stdout.splitlines() if " ended with " in line]
    assert ended == [f"{each} ended with 0" for each in fine] + [f"{each} ended with 2" for each in refused]
    said = [line.partition(" needs packages that aren't installed: ") for line in done.stderr.splitlines()]
    assert [who for who, _, _ in said] == [f"hiseg {each.split()[0]}" for each in refused]
    # Here a runtime is installed, which is why none says "cpu".
    extras = ["video" if each.startswith("video") else "service" for each in refused]
    assert [command for _, _, command in said] == [install_command(extra) for extra in extras]


def test_who_reads_no_further_hears_nothing() -> None:
    command = f"{sys.executable} -m hiseg models | head -n 1; {sys.executable} -m hiseg run --help | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=ROOT)
    assert (len(done.stdout.splitlines()), done.stderr) == (2, "")


def test_an_unknown_command_is_refused() -> None:
    done = CliRunner().invoke(app, ["teach"])
    assert done.exit_code == 2
    assert "No such command 'teach'" in done.output


def test_the_interpreter_alone_can_run_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "hiseg", "--help"], capture_output=True, text=True, check=True)
    assert "Usage: hiseg [OPTIONS]" in done.stdout
    assert "serve" in done.stdout
