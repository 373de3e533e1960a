"""A recipe as a record: runs one after the other, with a reason for each; checked before the first hour is spent."""

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
"""What flags call the folder of ``HISEG_DATA``."""


class PlanError(ValueError):
    """A recipe that can't be followed; the text names the file and the step."""


class Step(Record):
    """One run.

    Attributes:
        name: of its folder.
        why: it is there, in a few words.
        stage: the command.
        config: as ``hiseg-train configs`` lists them; None is the recipe's.
        start: the step whose best weights it begins with; None begins with none.
        flags: more of the command's, such as ``--from-fine``; ``{name}`` stands for a step's best checkpoint,
            ``{data}`` for the folder ``HISEG_DATA``.
        set: values of the configuration by dotted key, over the recipe's.
    """

    name: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9-]*$")]
    why: str
    stage: Literal["pretrain", "distill", "train"]
    config: str | None = None
    start: str | None = None
    flags: tuple[str, ...] = ()
    set: dict[str, Any] = Field(default_factory=dict)


class Plan(Record):
    """All of them, in order.

    Attributes:
        title: what it makes.
        config: of the steps that name none.
        set: values of every step's configuration, by dotted key.
        step: the steps; none may start from a later one.
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
        """What a step changes of its configuration."""
        return self.set | step.set

    def config_of(self, step: Step) -> str:
        return step.config or self.config


def read_plan(path: Path, changed: Mapping[str, Any] | None = None) -> Plan:
    """The recipe in a TOML file.

    Args:
        changed: values for every step, whatever the recipe says.

    Raises:
        PlanError: it isn't one, or a step has a value that its configuration doesn't.
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
