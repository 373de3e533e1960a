"""``train-finder`` on a few drawn people, and dogs in their place."""

from __future__ import annotations

import json
from pathlib import Path

from hiseg_training.engine.checkpoints import load_checkpoint
from hiseg_training.models.finder import FinderStage
from tests.training.engine.runs import annotations, boxes_only, content, invoke, only

SMALL = ("data.canvas=[96,96]", "data.workers=0", "finding.view=[64,64]", "finding.draws=4", "model.pretrained=false")


def test_a_finder_learns_from_outlines_boxes_and_nobody(drawn: Path, tmp_path: Path) -> None:
    whole = json.loads((drawn / "annotations" / "instances_train2017_person_only_no_crowd.json").read_text())
    whole["categories"] = [{"id": 1, "name": "dog"}]
    dogs, boxes = tmp_path / "dogs.json", boxes_only(drawn, tmp_path)
    dogs.write_text(json.dumps(whole))
    content_of_boxes = json.loads(boxes.read_text())
    for row in content_of_boxes["images"][:3]:
        row["exhaustive"] = True
    boxes.write_text(json.dumps(content_of_boxes))
    images = drawn / "images" / "train2017"
    words = [word for value in SMALL for word in ("--set", value)]
    said = invoke(
        *("train-finder", "--config", "lite-find", *annotations(drawn), "--epochs", 1, "--batch-size", 2),
        *("--boxes-ann", boxes, "--boxes-images", images, "--nobody-ann", dogs, "--nobody-images", images),
        *("--output", tmp_path, *words),
    )
    assert "AP50 0." in said
    assert "false finds from 0.5 0." in said
    best = only(tmp_path, "lite-find/checkpoints/best_finder_b0_*.pth")
    assert isinstance(load_checkpoint(best).coarse, FinderStage)
    assert content(best)["global_step"] == 2
    more = invoke(
        *("train-finder", "--config", "lite-find", *annotations(drawn), "--epochs", 1, "--batch-size", 2),
        *("--pretrained-checkpoint", best, "--output", tmp_path, *words),
    )
    assert "the encoder of the coarse stage" in more
    last = only(tmp_path, "lite-find/checkpoints/finder_epoch_*.pth")
    resumed = invoke("train-finder", "--resume", last, "--epochs", 2)
    assert "epoch 2 of 2, step 4" in resumed


def test_another_kind_of_configuration_is_refused(drawn: Path) -> None:
    said = invoke("train-finder", "--config", "lite-b0", *annotations(drawn), code=2)
    assert "lite-b0 is for instance, not for find" in said
