"""Follows a recipe: starts missing steps, resumes interrupted ones, and skips those that are done."""

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
"""Patterns in a step's folder: the checkpoint that later steps start from, and those that the step is resumed from."""

Launch = Callable[[Sequence[str]], int]
"""Runs ``hiseg-train`` with the given arguments and returns its exit code."""


class StepFailed(ValueError):
    """A step's run failed; the message names the step."""


def launch(words: Sequence[str]) -> int:
    """Run ``hiseg-train`` in a process of its own, which frees its memory when it ends, and return its exit code."""
    return subprocess.run([sys.executable, "-m", "hiseg_training", *words], check=False).returncode


def follow(plan: Plan, output: Path, say: Callable[[str], None], run: Launch = launch) -> dict[str, RunCurve]:
    """Run every step of a recipe that is not done.

    Each step gets a folder in ``output`` with its run, ``curve.png`` and ``done.json``; ``curves.png`` shows all steps.

    Args:
        plan: the recipe.
        output: folder of the steps' folders.
        say: called with each command before it runs.
        run: runs the command.

    Returns:
        The curve of each step, by name.

    Raises:
        StepFailed: a run failed; finished steps are kept, and the same call resumes there.
    """
    curves: dict[str, RunCurve] = {}
    for step in plan.step:
        folder = output / step.name
        if not (folder / DONE).exists():
            words = command(plan, step, output)
            say(shell_command(step, words))
            if code := run(words):
                raise StepFailed(f"{step.name}: it ended with {code}; the same command again goes on with it")
            curve = read_curve(_run(folder) / "logs")
            save_curves({f"{plan.title}, {step.name}": curve}, folder / CURVE)
            (folder / DONE).write_text(json.dumps(asdict(curve)))
        curves[step.name] = _read_done(folder / DONE)
    save_curves(curves, output / CURVES)
    return curves


def _read_done(path: Path) -> RunCurve:
    """Read a finished step's curve from its ``done.json``."""
    try:
        return RunCurve(**json.loads(path.read_text()))
    except (TypeError, ValueError) as error:
        raise StepFailed(f"{path}: not as it was written ({error}); without it the step is done again") from error


def command(plan: Plan, step: Step, output: Path) -> list[str]:
    """Return the arguments of ``hiseg-train`` that start a step, or resume it if it was interrupted."""
    folder = output / step.name
    words: list[str] = [step.stage]
    if list(folder.glob(LAST)):
        words += ["--resume", str(folder / LAST)]
    else:
        words += ["--student_config" if step.stage == "distill" else "--config", plan.config_of(step)]
        if step.start is not None:
            words += ["--pretrained_checkpoint", str(output / step.start / BEST)]
        for key, value in plan.values(step).items():
            words += ["--set", f"{key}={value if isinstance(value, str) else json.dumps(value)}"]
    replacements = {other.name: str(output / other.name / BEST) for other in plan.step} | {DATA: str(data_root())}
    return [*words, *(flag.format(**replacements) for flag in step.flags), "--output", str(folder)]


def shell_command(step: Step, words: Sequence[str]) -> str:
    """Return a step's name and its command, quoted for a shell."""
    return f"{step.name}: {shlex.join(['hiseg-train', *words])}"


def table(plan: Plan, curves: Mapping[str, RunCurve]) -> str:
    """Format a Markdown table with a row for each step."""
    lines = [
        "| step | why | optimiser steps | minutes | best on `val` | then on a part of `train` |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for step in plan.step:
        found = curves[step.name]
        taken = found.steps[-1] + 1
        scores = f"{found.best:.3f} | {found.fit:.3f}"
        lines.append(f"| {step.name} | {step.why} | {taken:,} | {found.minutes:.0f} | {scores} |")
    return "\n".join(lines)


def _run(folder: Path) -> Path:
    """Return the folder of a step's newest run that has a checkpoint; a run stopped in its first epoch has none."""
    found = sorted(folder.glob(LAST), key=lambda path: path.stat().st_mtime)
    if not found:
        raise StepFailed(f"{folder}: the run left no checkpoint")
    return found[-1].parent.parent
