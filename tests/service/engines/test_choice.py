"""Which graph answers is decided by what is asked for, on models that differ in what they compute."""

from __future__ import annotations

import pytest

from hiseg.core.errors import InvalidRequest
from hiseg.core.job import Mode
from hiseg.core.result import ModelRef
from hiseg.engines.base import Outputs
from hiseg.engines.choice import choose_graph

MASKS, BOTH = ModelRef("hiseg_b0", "1", "b0"), ModelRef("own", "1", "own")
FOREGROUND, OTHER = ModelRef("hiseg_foreground", "1", "foreground"), ModelRef("a_foreground", "1", "foreground")
ALL = {MASKS: Outputs.MASKS, BOTH: Outputs.BOTH, OTHER: Outputs.FOREGROUND, FOREGROUND: Outputs.FOREGROUND}


@pytest.mark.parametrize(
    ("asked", "mode", "has_boxes", "answers"),
    [
        (MASKS, Mode.INSTANCE, True, (MASKS, Outputs.MASKS)),
        (MASKS, Mode.INSTANCE, False, (MASKS, Outputs.MASKS)),
        (MASKS, Mode.BINARY, True, (MASKS, Outputs.MASKS)),
        (MASKS, Mode.BINARY, False, (FOREGROUND, Outputs.FOREGROUND)),
        (BOTH, Mode.BINARY, True, (BOTH, Outputs.MASKS)),
        (BOTH, Mode.BINARY, False, (BOTH, Outputs.FOREGROUND)),
        (OTHER, Mode.BINARY, False, (OTHER, Outputs.FOREGROUND)),
        (FOREGROUND, Mode.BINARY, True, (FOREGROUND, Outputs.FOREGROUND)),
    ],
)
def test_the_graph_that_gives_what_is_asked_for(
    asked: ModelRef, mode: Mode, has_boxes: bool, answers: tuple[ModelRef, Outputs]
) -> None:
    assert choose_graph(ALL, asked, mode, has_boxes) == answers


def test_a_finder_gives_the_foreground_before_other_models() -> None:
    finder, own = ModelRef("hiseg_find", "1", "find"), ModelRef("a_finder", "1", "finder")
    finding = Outputs.BOXES | Outputs.FOREGROUND
    models = ALL | {own: finding, finder: finding}
    assert choose_graph(models, MASKS, Mode.BINARY, has_boxes=False) == (finder, Outputs.FOREGROUND)
    assert choose_graph(models, BOTH, Mode.BINARY, has_boxes=False)[0] == BOTH
    assert choose_graph(models, FOREGROUND, Mode.BINARY, has_boxes=False)[0] == FOREGROUND
    with pytest.raises(InvalidRequest, match="masks give hiseg_b0, own"):
        choose_graph(models, finder, Mode.INSTANCE, has_boxes=True)


def test_masks_are_never_those_of_a_model_that_nobody_asked_for() -> None:
    with pytest.raises(InvalidRequest, match="masks give hiseg_b0, own"):
        choose_graph(ALL, FOREGROUND, Mode.INSTANCE, has_boxes=True)


def test_who_could_give_the_foreground_is_named() -> None:
    models = {MASKS: Outputs.MASKS, BOTH: Outputs.BOTH}
    with pytest.raises(InvalidRequest, match="the foreground gives own"):
        choose_graph(models, MASKS, Mode.BINARY, has_boxes=False)
