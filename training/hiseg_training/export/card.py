"""Writes the model card that stands beside a published model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hiseg_training.config.model import ModelConfig
from hiseg_training.export.forms import Precision
from hiseg_training.export.provenance import Provenance

NOT_SAID = "Nothing was said of it when this version was published."


def model_card(
    name: str,
    version: int,
    config: ModelConfig,
    canvases: Sequence[Sequence[int]],
    metrics: dict[str, Any],
    provenance: Provenance | None = None,
) -> str:
    """Return the card in Markdown.

    Args:
        name: of the model.
        version: its number.
        config: of its architecture.
        canvases: (height, width) of those that its file declares.
        metrics: the measured figures, as written to ``metrics.json``.
        provenance: training, terms and limits; without it the card says that nothing is known of them.
    """
    complexity, quality, speed = metrics["complexity"], metrics["quality"], metrics["speed"]
    people = f"{complexity['gmac_per_person']:.2f} GMAC a person"
    compute = f"{complexity['gmac_per_image']:.2f} GMAC an image of 640 x 640, {people}"
    timing = ", ".join(f"{count}: {ms:.0f} ms" for count, ms in speed.items())
    limits = f"\n\n{provenance.limits.strip()}" if provenance else ""
    return f"""# {name}, version {version}

One mask per person, given an image and the people's boxes. Variant {config.variant}, mask {_size(config.mask_size)}
(height x width), decided at {_size(config.roi_size)}; canvases {", ".join(map(_size, canvases))}.

| | |
|---|---|
| size | {metrics["megabytes"]:.1f} MB, {complexity["parameters_m"]:.1f} M parameters, {metrics["precision"].upper()} |
| compute (torch's flop counter) | {compute} |
| ONNX Runtime, CPU, 2 threads, 640 x 640 | {timing} (median) |
| PyTorch against ONNX Runtime | {_difference(metrics["onnx_max_difference"], metrics["precision"])} |

## Quality

Mean IoU per person at full resolution, through the service's own canvas and mask code.
{_measured_on(quality)}

{_quality_table(quality)}

Baselines with ground-truth boxes, and nothing learned:

| | {" | ".join(quality)} |
|---|{"---|" * len(quality)}
{_baseline_rows(quality)}

`foreground` is the IoU of `binary_masks` (anybody at all) on the images in which every person is outlined: where the
model is given everybody's boxes, and where it is given none. Masks are those of `wide_masks`, which may reach
{(config.context - 1) / 2:.0%} of a side beyond the box; the baselines end at it.

## Training

{provenance.training.strip() if provenance else NOT_SAID}

## Terms

{provenance.terms.strip() if provenance else NOT_SAID}

## Intended use and limits

For cutting people out of photographs and video frames once a detector has found their boxes. It says which pixels
are a person, never who it is.{limits}
"""


def _measured_on(quality: dict[str, Any]) -> str:
    """Say what each split is; figures of another file can't be compared with these."""
    return " ".join(
        f"`{split}` is `{each['annotations']}`: {_count(each['people'], 'person', 'people')} in "
        f"{_count(each['images'], 'image', 'images')}."
        for split, each in quality.items()
    )


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _quality_table(quality: dict[str, Any]) -> str:
    columns = [(split, boxes) for split in quality for boxes in ("ground truth boxes", "boxes jittered by 10%")]
    slices = dict.fromkeys(name for split, boxes in columns for name in quality[split][boxes])
    header = "| | " + " | ".join(f"`{split}`, {boxes}" for split, boxes in columns) + " |"
    rows = [
        f"| {name} | " + " | ".join(_figure(quality[split][boxes].get(name)) for split, boxes in columns) + " |"
        for name in slices
    ]
    return "\n".join([header, "|---|" + "---|" * len(columns), *rows])


def _baseline_rows(quality: dict[str, Any]) -> str:
    names = next(iter(quality.values()))["baselines"]
    return "\n".join(
        f"| {name} | " + " | ".join(_figure(quality[split]["baselines"][name]) for split in quality) + " |"
        for name in names
    )


def _difference(value: float | None, precision: str) -> str:
    if value is None:
        return "not measured"
    before = "" if precision == Precision.FP32 else f", before it was made {precision.upper()}"
    return f"logits differ by at most {value:.1e}{before}"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _size(size: Sequence[int]) -> str:
    return f"{size[0]} x {size[1]}"
