"""The card says of what was measured how it was decided."""

from __future__ import annotations

import json
from dataclasses import asdict

from benchmarks.harness.repository import REPOSITORY
from hiseg_training.config.model import CANVASES, ModelConfig
from hiseg_training.export.card import model_card
from hiseg_training.export.int8 import decide


def test_the_card_says_which_split_decided_against_int8() -> None:
    metrics = json.loads((REPOSITORY / "hiseg_foreground" / "metrics.json").read_text())
    before, int8 = (metrics["precisions"][name] for name in ("fp16", "int8"))
    int8 |= {"val": before["val"] - 0.0026, "ood": before["ood"] - 0.0063}
    int8 |= asdict(decide(before, int8, metrics["quality"]))
    (row,) = [line for line in model_card("f", 2, ModelConfig(), CANVASES, metrics).splitlines() if "INT8" in line]
    assert "; not published: -0.63 points on ood (" in row
    assert "-0.26 on val" in row
