"""What reaches a student's loss, photo by photo."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hiseg_training.config.names import configuration
from hiseg_training.config.overrides import override, parse
from hiseg_training.data.dataset import Batch
from hiseg_training.engine.distillation import DistillationBatch, DistillationTask, Teacher
from hiseg_training.losses.foreground import foreground_loss
from hiseg_training.models.hierarchical import HierarchicalModel, to_unit
from tests.training.engine.runs import SMALL


@pytest.fixture
def task(monkeypatch: pytest.MonkeyPatch) -> DistillationTask:
    torch.manual_seed(0)
    chosen = override(configuration("b0-from-b7"), parse(value for value in SMALL if "instances" not in value))
    student, teacher = HierarchicalModel(chosen.model), HierarchicalModel(chosen.model)
    found = DistillationTask(student, Teacher(teacher.coarse, 2), chosen).eval()
    # These stand for the trainer's: there is no run, and one process.
    monkeypatch.setattr(found, "log_dict", lambda *_, **__: None)
    monkeypatch.setattr(found, "sum_over_processes", lambda values: values)
    monkeypatch.setattr(found, "balance", lambda _: 1.0)
    return found


def scene(guess: torch.Tensor | None, known: list[bool]) -> DistillationBatch:
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.integers(0, 256, (2, 3, 96, 64), dtype=np.uint8))
    identities = torch.zeros(2, 1, 96, 64, dtype=torch.uint8)
    identities[:, :, 20:60, 10:40] = 1
    return DistillationBatch(
        Batch(images, identities, torch.zeros(0, 5), torch.zeros(0).long(), guess), torch.tensor(known)
    )


def test_pseudo_labels_are_learnt_as_probabilities(task: DistillationTask) -> None:
    guess = torch.randint(0, 256, (2, 1, 96, 64), dtype=torch.uint8)
    given = scene(guess, [True, True])
    logits = task.model.run_coarse(to_unit(given.batch.images), given.batch.rois).logits
    cells = guess.reshape(2, 1, logits.shape[2], 96 // logits.shape[2], logits.shape[3], 64 // logits.shape[3])
    wanted = foreground_loss(logits, cells.double().mean((3, 5)) / 255)["total"]
    terms = task.loss_terms(given)
    torch.testing.assert_close(terms["task"], wanted)
    assert terms["task"] != task.loss_terms(scene(None, [True, True]))["task"]


def test_photos_without_labels_have_the_teachers_loss_only(task: DistillationTask) -> None:
    assert "task" not in task.loss_terms(scene(None, [False, False]))
    one, both = (task.loss_terms(scene(None, known))["task"] for known in ([True, False], [True, True]))
    assert one != both
