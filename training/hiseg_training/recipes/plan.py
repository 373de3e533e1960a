"""A recipe as a validated record: training runs in order, with a reason for each, checked before any of them starts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from hiseg_training.config.names import configuration
from hiseg_training.config.overrides import TomlError, override, read_toml
from hiseg_training.config.run import Record

DATA = "data"
"""Placeholder in flags for the data root (``HISEG_DATA``)."""


class PlanError(ValueError):
    """A recipe is invalid; the message names the file and the step."""


class Step(Record):
    """One training run.

    Attributes:
        name: of the step and of its folder.
        why: its reason, in a few words.
        stage: the command that runs it.
        config: name of the configuration, as ``hiseg-train configs`` lists them; None takes the recipe's.
        start: the step whose best weights it starts from; None starts without.
        flags: further flags of the command, such as ``--from-fine``; ``{name}`` stands for a step's best checkpoint,
            ``{data}`` for the data root.
        set: values of the configuration by dotted key, which override the recipe's.
    """

    name: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9-]*$")]
    why: str
    stage: Literal["pretrain", "distill", "train"]
    config: str | None = None
    start: str | None = None
    flags: tuple[str, ...] = ()
    set: dict[str, Any] = Field(default_factory=dict)


class Plan(Record):
    """A recipe: all steps, in order.

    Attributes:
        title: the model that it trains.
        config: name of the configuration of steps that name none.
        set: values of every step's configuration, by dotted key.
        step: the steps; none may refer to a later one.
    """

    title: str
    config: str
    set: dict[str, Any] = Field(default_factory=dict)
    step: Annotated[tuple[Step, ...], Field(min_length=1)]

    @field_validator("step")
    @classmethod
    def _in_order(cls, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        before: set[str] = set()
        for step in steps:
            if step.name == DATA:
                raise ValueError(f"a step can't be called {DATA}: in flags that is the data's folder")
            if step.name in before:
                raise ValueError(f"two are called {step.name}")
            if step.start is not None and step.start not in before:
                raise ValueError(f"{step.name} starts from {step.start}, which is no step before it")
            for flag in step.flags:
                if strangers := {name for _, name, *_ in Formatter().parse(flag) if name is not None} - {DATA} - before:
                    raise ValueError(f"{step.name} has {flag}, but {strangers.pop()} is no step before it")
            before.add(step.name)
        return steps

    def values(self, step: Step) -> dict[str, Any]:
        """Return the values that a step overrides in its configuration, by dotted key."""
        return self.set | step.set

    def config_of(self, step: Step) -> str:
        """Return the name of a step's configuration."""
        return step.config or self.config


def read_plan(path: Path, changed: Mapping[str, Any] | None = None) -> Plan:
    """Read and check a recipe from a TOML file.

    Args:
        path: of the file.
        changed: values for every step by dotted key, which override the recipe's.

    Raises:
        PlanError: the file is no valid recipe, or sets a value that a step's configuration does not take.
    """
    try:
        plan = read_toml(path, Plan)
    except TomlError as error:
        raise PlanError(str(error)) from error
    if changed:
        steps = tuple(step.model_copy(update={"set": {**step.set, **changed}}) for step in plan.step)
        plan = plan.model_copy(update={"step": steps})
    for step in plan.step:
        try:
            override(configuration(plan.config_of(step)), plan.values(step))
        except ValueError as error:
            raise PlanError(f"{path}: step {step.name}: {error}") from error
    return plan
