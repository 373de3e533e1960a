"""The unit is one that systemd takes, and its numbers are those of the service."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from benchmarks.harness.availability import missing
from benchmarks.harness.paths import ROOT
from hiseg.cli.main import app
from hiseg.cli.options import CANNOT_START
from hiseg.doctor.finding import Level
from hiseg.doctor.limits import check_memory, check_open_files
from hiseg.lifecycle import READ_RESPONSE_SECONDS
from hiseg.settings import FILE, Settings

UNIT = ROOT / "docs" / "examples" / "systemd" / "hiseg.service"
GIBI = 2**30


@pytest.fixture(scope="module")
def service() -> configparser.SectionProxy:
    """The section ``[Service]``; of what is there more than once, the last."""
    parser = configparser.RawConfigParser(strict=False, delimiters="=", comment_prefixes="#")
    parser.read_string(UNIT.read_text())
    return parser["Service"]


def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        missing("there is no systemd-analyze")
    command = Path(sys.executable).with_name("hiseg")
    (tmp_path / UNIT.name).write_text(UNIT.read_text().replace("/opt/hiseg/bin/hiseg", str(command)))
    done = subprocess.run([program, "verify", tmp_path / UNIT.name], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_numbers_are_those_of_the_service(service: configparser.SectionProxy) -> None:
    settings = Settings()
    least = settings.shutdown_delay_seconds + settings.drain_seconds + READ_RESPONSE_SECONDS
    assert int(service["TimeoutStopSec"]) > least
    assert (
        f"({settings.shutdown_delay_seconds:g}), HISEG_DRAIN_SECONDS ({settings.drain_seconds:g})" in UNIT.read_text()
    )
    assert int(service["RestartPreventExitStatus"]) == CANNOT_START
    assert check_open_files(settings, int(service["LimitNOFILE"])).level is Level.OK
    assert check_memory(settings, int(service["MemoryMax"].removesuffix("G")) * GIBI).level is Level.OK


def test_what_it_names_exists(service: configparser.SectionProxy) -> None:
    program, command = service["ExecStart"].split()
    assert Path(program).name == "hiseg"
    assert command in get_command(app).commands  # type: ignore[attr-defined]
    text = UNIT.read_text()
    assert FILE in text
    for name in re.findall(r"HISEG_[A-Z_]+", text):
        assert name.removeprefix("HISEG_").lower() in Settings.model_fields, name
