"""The finder learns boxes and the foreground at once, from views of photos in which everybody is annotated."""

from __future__ import annotations

import numpy as np
import torch

from hiseg_training.config.run import Configuration
from hiseg_training.engine.task import FIT, SCORE, Mean, Task, WeightGroup, encoder_apart, mask_iou
from hiseg_training.evaluation.finding import Finds, box_precision, false_finds, suppress
from hiseg_training.finding.dataset import FinderBatch, WholePhotos
from hiseg_training.finding.frames import SOMEBODY
from hiseg_training.losses.finding import finder_loss
from hiseg_training.models.finder import FOREGROUND_STRIDE, FinderStage, Found
from hiseg_training.models.freezing import freeze
from hiseg_training.models.hierarchical import HierarchicalModel, to_unit

LEAST_SCORE, MOST_IOU, MOST_PEOPLE = 0.05, 0.6, 200
"""Of the non-maximum suppression: a low score, so that whoever calls decides by a threshold of their own."""


class FinderTask(Task):
    """Trains a finder; the fine stage is frozen.

    The score is AP50 of boxes. Photos of nobody among those that are scored don't count in it: of them it is told how
    many people were found. Several processes score the same photos, each all of them.

    Args:
        model: whose coarse stage is a finder.
        configuration: of the run.
        val: the photos of the first loader that is scored.
        fit: those of the second.
    """

    def __init__(
        self, model: HierarchicalModel, configuration: Configuration, val: WholePhotos, fit: WholePhotos
    ) -> None:
        super().__init__(model, configuration)
        self._photos = (val, fit)
        self._finds: tuple[dict[int, Finds], dict[int, Finds]] = ({}, {})
        self._foreground = Mean()
        freeze(model.fine)

    def find(self, batch: FinderBatch) -> Found:
        """What the finder says of a batch."""
        assert isinstance(self.model.coarse, FinderStage)
        return self.model.coarse.find(to_unit(batch.images).contiguous(memory_format=torch.channels_last))

    def weight_groups(self) -> list[WeightGroup]:
        coarse = self.model.coarse
        return encoder_apart(coarse, coarse.encoder, self.configuration.schedule.encoder_rate)

    def loss_terms(self, batch: FinderBatch) -> dict[str, torch.Tensor]:
        return finder_loss(self.find(batch), batch.targets(FOREGROUND_STRIDE), self.configuration.foreground)

    def validation_step(self, batch: FinderBatch, batch_idx: int, dataloader_idx: int = 0) -> None:
        found = self.find(batch)
        photos = self._photos[dataloader_idx]
        for place, index in enumerate(batch.photos.tolist()):
            self._finds[dataloader_idx][index] = finds_in(found, place, photos.scale(index))
        peopled = torch.tensor([bool(photos.photos[index].people) for index in batch.photos.tolist()])
        if dataloader_idx == 0 and peopled.any():
            seen = torch.nn.functional.interpolate(found.foreground, scale_factor=FOREGROUND_STRIDE, mode="bilinear")
            self._foreground.add(mask_iou(seen[peopled] > 0, batch.labels[peopled] == SOMEBODY))

    def on_validation_epoch_end(self) -> None:
        for name, photos, finds in zip((SCORE, FIT), self._photos, self._finds, strict=True):
            peopled = [index for index in sorted(finds) if photos.photos[index].people]
            figures = box_precision([photos.photos[index] for index in peopled], [finds[index] for index in peopled])
            self.log(name, figures["AP50"], prog_bar=True)
            if name == SCORE:
                nobody = [finds[index] for index in finds if not photos.photos[index].people]
                figures |= {f"false finds from {score}": share for score, share in false_finds(nobody).items()}
                figures["foreground IoU"] = self.mean_over_processes(self._foreground)
                self.log_dict({f"val/{figure}".replace(" ", "_"): value for figure, value in figures.items()})
                self.trainer.print(", ".join(f"{figure} {value:.3f}" for figure, value in figures.items()))
            finds.clear()
        self._foreground = Mean()


def finds_in(found: Found, index: int, scale: float) -> Finds:
    """What was found in input ``index`` after suppression; ``scale`` is the input's pixels that are one of the
    photo's."""
    scores, boxes = found.scores[index].float().sigmoid(), found.boxes[index].float()
    kept = suppress(scores, boxes, LEAST_SCORE, MOST_IOU, MOST_PEOPLE)
    return Finds((boxes[kept] / scale).cpu().numpy().astype(np.float32), scores[kept].cpu().numpy().astype(np.float32))
