"""Every value of a configuration can be changed by hand, and is checked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from hiseg_training.config.names import configuration
from hiseg_training.config.overrides import OverrideError, keys, override, parse

WRONG: dict[type, Any] = {bool: "perhaps", int: 0.5, float: "fast", str: 7, list: 7, type(None): 7}


def test_every_value_can_be_changed_and_is_checked() -> None:
    b0 = configuration("b0")
    content = b0.model_dump(mode="json")
    for key in keys(content):
        if key != "name":
            value: Any = content
            for part in key.split("."):
                value = value[part]
            assert override(b0, {key: value}) == b0
            with pytest.raises(OverrideError, match=re.escape(key)):
                override(b0, {key: WRONG[type(value)]})


def test_overrides_are_read_as_json_or_text() -> None:
    values = parse(["schedule.learning_rate=1e-5", "data.canvas=[96,64]", "data.train_ann=some.json"])
    changed = override(configuration("b0"), values)
    assert (changed.schedule.learning_rate, changed.canvas, changed.data.train_ann) == (
        1e-5,
        (96, 64),
        (Path("some.json"),),
    )


@pytest.mark.parametrize(
    ("assignment", "text"),
    [
        ("schedule.epoch=3", r"schedule\.epoch: .*schedule\.epochs"),
        ("schedule=3", "schedule: there is no such value"),
        ("schedule.epochs=0", r"schedule\.epochs: 0"),
        ("model.variant=b9", "variant: 'b9'"),
        ("data.canvas=[100,64]", r"data\.canvas\.0: 100"),
        ("instances.early=[[0.7,[96,72]],[0.4,[128,96]]]", r"instances\.early: .*more than the whole run"),
        ("instances.early=[[0.7,[96,70]]]", r"instances\.early\.0\.1\.1: 70"),
        ('data.train_images=["a","b"]', r"data\.train_images: .*2 of them for 0 files"),
        ("epochs", "epochs' is not KEY=VALUE"),
    ],
)
def test_errors_name_the_field(assignment: str, text: str) -> None:
    with pytest.raises(OverrideError, match=text):
        override(configuration("b0"), parse([assignment]))
