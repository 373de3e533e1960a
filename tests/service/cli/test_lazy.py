"""Commands that are imported when they are called are completed as others are, in a real bash."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks.harness.paths import HISEG, PUBLISHED, ROOT
from hiseg.models.repository import stored_versions

COMPLETE = """
eval "$(%(variable)s=source_bash %(program)s)"
function=$(complete -p %(program)s | sed 's/.*-F \\([^ ]*\\).*/\\1/')
while read -r line; do
    COMP_WORDS=($line)
    [[ $line == *" _" ]] && COMP_WORDS[-1]=""
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    COMPREPLY=()
    $function %(program)s
    echo "${COMPREPLY[@]}"
done
"""
"""Asks bash for the completion of each line of standard input; where one ends with `_`, the last word is empty."""


def completions(program: str, *lines: str) -> list[list[str]]:
    variable = f"_{program.upper().replace('-', '_')}_COMPLETE"
    script = COMPLETE % {"variable": variable, "program": program}
    path = f"{HISEG.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env=os.environ | {"PATH": path},
    )
    assert not done.stderr
    return [line.split() for line in done.stdout.splitlines()]


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_commands_options_choices_and_models() -> None:
    commands, options, choices, models, checked = completions(
        "hiseg", "hiseg do", "hiseg run --mod", "hiseg run --smoothing _", "hiseg run --model _", "hiseg models check _"
    )
    assert commands == ["doctor"]
    assert {"--mode", "--model"} <= set(options)
    assert choices == ["none", "edge", "bilateral"]
    assert models == checked == sorted(stored_versions(PUBLISHED))


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_the_commands_of_training() -> None:
    nested, options, choices = completions(
        "hiseg-train", "hiseg-train data _", "hiseg-train train --train", "hiseg-train export --precision _"
    )
    assert nested == ["build", "stats"]
    assert options == ["--train-ann", "--train-images"]
    assert choices == ["fp32", "fp16", "int8"]


@pytest.mark.parametrize(("shell", "has"), [("zsh", "#compdef hiseg"), ("fish", "complete --command hiseg")])
def test_other_shells_have_a_script(shell: str, has: str, tmp_path: Path) -> None:
    env = os.environ | {"_HISEG_COMPLETE": f"source_{shell}"}
    done = subprocess.run([HISEG], capture_output=True, text=True, check=True, cwd=tmp_path, env=env)
    assert has in done.stdout
