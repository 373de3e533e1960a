"""Writes the model card that stands beside a published model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hiseg_training.config.model import ModelConfig
from hiseg_training.export.forms import Precision
from hiseg_training.export.measure import LOOSE_BOXES, NO_BOXES, TRUE_BOXES
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
    has_masks = complexity["gmac_per_person"] > 0
    costs = {"an image of 640 x 640": complexity["gmac_per_image"], "a person": complexity["gmac_per_person"]}
    compute = ", ".join(f"{gmac:.2f} GMAC {of}" for of, gmac in costs.items() if gmac)
    timing = ", ".join(f"{count}: {ms:.0f} ms" if ms >= 10 else f"{count}: {ms:.1f} ms" for count, ms in speed.items())
    limits = f"\n\n{provenance.limits.strip()}" if provenance else ""
    return f"""# {name}, version {version}

{_contents(config, has_masks)} canvases {", ".join(map(_size, canvases))}.

| | |
|---|---|
| size | {metrics["megabytes"]:.1f} MB, {complexity["parameters_m"]:.1f} M parameters, {metrics["precision"].upper()} |
| compute (torch's flop counter) | {compute} |
| ONNX Runtime, CPU, 2 threads, 640 x 640 | {timing} (median) |
| PyTorch against ONNX Runtime | {_difference(metrics["onnx_max_difference"], metrics["precision"])} |
{_int8_rows(metrics)}
## Quality

{_measured_on(quality)}

{_quality_table(quality)}
{_notes(config, metrics, has_masks)}
## Training

{provenance.training.strip() if provenance else NOT_SAID}

## Terms

{provenance.terms.strip() if provenance else NOT_SAID}

## Intended use and limits

{USES[has_masks]}{limits}
"""


USES = {
    True: "For cutting people out of photographs and video frames once a detector has found their boxes. It says which"
    " pixels\nare a person, never who it is.",
    False: "For telling where people are in photographs and video frames, when nobody needs to be told from others and"
    " no box is\nknown. It says which pixels are a person, never who it is.",
}
"""By whether a model has masks."""


def _contents(config: ModelConfig, has_masks: bool) -> str:
    if not has_masks:
        return f"The foreground of an image: where anybody is, no box known. Variant {config.variant};"
    sizes = f"mask {_size(config.mask_size)}\n(height x width), decided at {_size(config.roi_size)};"
    return f"One mask per person, given an image and the people's boxes. Variant {config.variant}, {sizes}"


def _int8_rows(metrics: dict[str, Any]) -> str:
    """A row on the INT8 file, whether or not it was published; nothing where none was made."""
    int8 = metrics["precisions"].get(Precision.INT8)
    if int8 is None or metrics["precision"] == Precision.INT8:
        return ""
    times = ", ".join(f"{case}: {ms:.1f} ms" for case, ms in int8["ms"].items())
    published = "published" if int8["published"] else "not published"
    what = f"{int8['bytes'] / 1e6:.1f} MB, {times}; {published}: {int8['because']}"
    return f"| INT8, on {', '.join(int8['processor']) or 'this processor'} | {what} |\n"


def _notes(config: ModelConfig, metrics: dict[str, Any], has_masks: bool) -> str:
    """What the figures mean, and the baselines of masks."""
    if not has_masks:
        return f"\n`{NO_BOXES}` is the IoU of `binary_masks` (anybody at all) where every person is outlined.\n"
    quality, fit = metrics["quality"], metrics.get("training data")
    learnt = (
        f"\nOn {_count(fit['people'], 'person', 'people')} that it learnt from: {fit['figure']:.3f}.\n" if fit else ""
    )
    return f"""{learnt}
Mean IoU per person at full resolution, through the service's own canvas and mask code.
`foreground` is the IoU of anybody at all, in the images in which every person is outlined, where the model is given
everybody's boxes. Masks are those of `wide_masks`, which may reach {(config.context - 1) / 2:.0%} of a side beyond the
box; the baselines end at it.

Baselines with ground-truth boxes, and nothing learned:

| | {" | ".join(quality)} |
|---|{"---|" * len(quality)}
{_baseline_rows(quality)}
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
    columns = [(split, boxes) for split in quality for boxes in (TRUE_BOXES, LOOSE_BOXES) if boxes in quality[split]]
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
