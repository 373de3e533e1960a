"""Follows a recipe: starts what is missing, goes on with what was interrupted, and leaves alone what is done."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from hiseg_training.data.coco import data_root
from hiseg_training.recipes.curve import RunCurve, read_curve, save_curves
from hiseg_training.recipes.plan import DATA, Plan, Step

DONE, CURVE, CURVES = "done.json", "curve.png", "curves.png"
BEST, LAST = "*/checkpoints/best_*_epoch_*.pth", "*/checkpoints/[!b]*_epoch_*.pth"
"""In a step's folder: the checkpoint that others start from, and those that it is resumed from."""

Launch = Callable[[Sequence[str]], int]
"""Runs ``hiseg-train`` with these words; returns its exit code."""


class StepFailed(ValueError):
    """A run ended badly; the text says which."""


def launch(words: Sequence[str]) -> int:
    """In a process of its own, whose memory is free for the next one."""
    return subprocess.run([sys.executable, "-m", "hiseg_training", *words], check=False).returncode


def follow(plan: Plan, output: Path, say: Callable[[str], None], run: Launch = launch) -> dict[str, RunCurve]:
    """Make every step's folder in ``output``, with its run, ``curve.png`` and ``done.json``, and ``curves.png`` of all.

    Args:
        say: is told of each command before it runs.
        run: runs it.

    Returns:
        How each went, by the steps' names; :func:`table` makes a table of it.

    Raises:
        StepFailed: a run did; what was done stays, and the same call goes on there.
    """
    courses: dict[str, RunCurve] = {}
    for step in plan.step:
        folder = output / step.name
        if not (folder / DONE).exists():
            words = command(plan, step, output)
            say(shell_command(step, words))
            if code := run(words):
                raise StepFailed(f"{step.name}: it ended with {code}; the same command again goes on with it")
            course = read_curve(_run(folder) / "logs")
            save_curves({f"{plan.title}, {step.name}": course}, folder / CURVE)
            (folder / DONE).write_text(json.dumps(asdict(course)))
        courses[step.name] = _written(folder / DONE)
    save_curves(courses, output / CURVES)
    return courses


def _written(path: Path) -> RunCurve:
    try:
        return RunCurve(**json.loads(path.read_text()))
    except (TypeError, ValueError) as error:
        raise StepFailed(f"{path}: not as it was written ({error}); without it the step is done again") from error


def command(plan: Plan, step: Step, output: Path) -> list[str]:
    """The words of a step's run; of one that was interrupted, those that go on with it."""
    folder = output / step.name
    words = [step.stage]
    if list(folder.glob(LAST)):
        words += ["--resume", str(folder / LAST)]
    else:
        words += ["--student_config" if step.stage == "distill" else "--config", plan.config_of(step)]
        if step.start is not None:
            words += ["--pretrained_checkpoint", str(output / step.start / BEST)]
        for key, value in plan.values(step).items():
            words += ["--set", f"{key}={value if isinstance(value, str) else json.dumps(value)}"]
    meant = {other.name: str(output / other.name / BEST) for other in plan.step} | {DATA: str(data_root())}
    return [*words, *(flag.format(**meant) for flag in step.flags), "--output", str(folder)]


def shell_command(step: Step, words: Sequence[str]) -> str:
    """A step's command, as a shell takes it."""
    return f"{step.name}: {shlex.join(['hiseg-train', *words])}"


def table(plan: Plan, courses: Mapping[str, RunCurve]) -> str:
    """A row for each step, in Markdown."""
    lines = ["| step | why | optimiser steps | minutes | best on `val` |", "|---|---|---:|---:|---:|"]
    for step in plan.step:
        found = courses[step.name]
        taken = found.steps[-1] + 1
        lines.append(f"| {step.name} | {step.why} | {taken:,} | {found.minutes:.0f} | {found.best:.3f} |")
    return "\n".join(lines)


def _run(folder: Path) -> Path:
    """The newest run of a step; one that was stopped in its first epoch has no checkpoint, and doesn't count."""
    found = sorted(folder.glob(LAST), key=lambda path: path.stat().st_mtime)
    if not found:
        raise StepFailed(f"{folder}: the run left no checkpoint")
    return found[-1].parent.parent
