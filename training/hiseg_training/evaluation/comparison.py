"""Draws a photo four times: ground truth, predicted foreground, prediction, and errors."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from pycocotools import mask as coco_mask

from hiseg.core.box import Box
from hiseg.core.image import Floats, Labels, Pixels
from hiseg.core.result import CropMask, Instance
from hiseg.masks.formats.label_map import label_map
from hiseg.masks.formats.overlay import overlay
from hiseg_training.data.coco import Photo
from hiseg_training.evaluation.scores import PhotoScore, Rle
from hiseg_training.inference.batches import PhotoPrediction
from hiseg_training.inference.masks import foreground

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

PANEL = 560
"""Pixels of a panel's longer side."""
GAP, CAPTION, TITLE = 12, 30, 40
PAPER, INK, QUIET = (250, 250, 250), (25, 25, 25), (110, 110, 110)
RIGHT, MISSED, ADDED, MIXED_UP = (225, 225, 225), (213, 94, 0), (86, 180, 233), (240, 228, 66)
FOREGROUND = (0, 158, 115)
"""Colours of Okabe and Ito's "Color Universal Design" (2008), and a grey."""
SLOT = 360
"""Least width of a panel with its margins, in pixels: its caption needs them."""
LISTED = 9
"""Most people whose IoU is listed in a caption."""


def comparison_sheet(photo: Photo, prediction: PhotoPrediction, score: PhotoScore) -> Pixels:
    """Draw the four panels under a title with the mean IoU: RGB uint8 ``[H, W, 3]``.

    Args:
        photo: with its ground-truth masks.
        prediction: of a model for that photo.
        score: of that prediction.
    """
    scale = PANEL / max(photo.height, photo.width)
    size = (round(photo.width * scale), round(photo.height * scale))
    mode = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    pixels = np.asarray(cv2.resize(prediction.pixels, size, interpolation=mode), dtype=np.uint8)
    grey: Pixels = np.repeat(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[:, :, None], 3, axis=2).astype(np.uint8)
    truth = [instance(person.rle, person.box, scale, size) for person in photo.people if person.rle is not None]
    boxes = zip(score.people, prediction.boxes, strict=True)  # none of a model without masks
    found = [instance(person.rle, box, scale, size) for person, box in boxes]
    resized = cv2.resize(foreground(prediction), size, interpolation=cv2.INTER_LINEAR)
    probability = np.asarray(resized, dtype=np.float32)
    panels = [
        overlay(pixels, truth),
        _draw_foreground(grey, probability),
        overlay(pixels, found),
        errors(grey, label_map([t.mask for t in truth], *size), label_map([f.mask for f in found], *size)),
    ]
    everybody = "" if score.foreground is None else f", IoU {score.foreground:.2f}"
    ious = "   ".join(f"{k}: {person.iou:.2f}" for k, person in enumerate(score.people[:LISTED], 1))
    captions = [
        "Ground truth",
        f"Foreground{everybody}",
        f"Prediction   {ious}{' …' if len(score.people) > LISTED else ''}",
        "Errors",
    ]
    count = len(score.people)
    title = photo.path.name
    if count:
        title += f": IoU {score.mean:.3f}"
    if count > 1:
        title += f", {count} people, lowest {min(person.iou for person in score.people):.2f}"
    return _page(title + ("" if photo.exhaustive else ", not everybody is outlined"), panels, captions)


def instance(rle: Rle, box: Box, scale: float, size: tuple[int, int]) -> Instance:
    """Return a person scaled from a photo to a drawing of it.

    Args:
        rle: the mask at the photo's size, as COCO run lengths.
        box: in the photo's pixels.
        scale: pixels of the drawing per pixel of the photo.
        size: (width, height) of the drawing.
    """
    mask = cv2.resize(np.asarray(coco_mask.decode(rle)), size, interpolation=cv2.INTER_NEAREST)
    scaled = Box(*(value * scale for value in box.as_tuple()))
    return Instance(scaled, CropMask(0, 0, mask.astype(np.bool_)), 1.0)


def _draw_foreground(grey: Pixels, probability: Floats) -> Pixels:
    """Tint uint8 ``[H, W, 3]`` by the foreground probability, float32 ``[H, W]``, and outline it at one half."""
    weight = 0.75 * probability[:, :, None]
    drawn: Pixels = (grey * 0.8 * (1 - weight) + np.array(FOREGROUND) * weight).astype(np.uint8)
    edges, _ = cv2.findContours((probability > 0.5).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(drawn, edges, -1, (255, 255, 255), 1, cv2.LINE_AA)
    return drawn


def errors(grey: Pixels, truth: Labels, found: Labels) -> Pixels:
    """Colour where two label maps agree and differ, on a darkened grey image.

    Args:
        grey: uint8 ``[H, W, 3]``.
        truth: ``[H, W]``, 0 nobody, k the k-th person.
        found: ``[H, W]``, of the prediction.

    Returns:
        RGB uint8 ``[H, W, 3]``.
    """
    drawn = (grey * 0.45).astype(np.uint8)
    for where, colour, weight in (
        ((truth > 0) & (truth == found), RIGHT, 0.45),
        ((truth > 0) & (found == 0), MISSED, 0.85),
        ((truth == 0) & (found > 0), ADDED, 0.85),
        ((truth > 0) & (found > 0) & (truth != found), MIXED_UP, 0.85),
    ):
        drawn[where] = (drawn[where] * (1 - weight) + np.array(colour) * weight).astype(np.uint8)
    return drawn


def _page(title: str, panels: Sequence[Pixels], captions: Sequence[str]) -> Pixels:
    """Lay four panels, uint8 ``[H, W, 3]``, out with captions: two by two where they are wide, else in a row."""
    height, width = panels[0].shape[:2]
    columns = 2 if width >= height else 4
    rows = len(panels) // columns
    slot = max(width, SLOT)
    size = (columns * slot + (columns + 1) * GAP, TITLE + rows * (height + CAPTION) + (rows + 1) * GAP // 2)
    page = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((GAP, TITLE // 2), title, INK, ImageFont.load_default(21), anchor="lm")
    font = ImageFont.load_default(15)
    for index, (panel, caption) in enumerate(zip(panels, captions, strict=True)):
        left = GAP + index % columns * (slot + GAP)
        top = TITLE + index // columns * (height + CAPTION)
        draw.text((left, top + CAPTION // 2), caption, INK, font, anchor="lm")
        if caption == "Errors":
            legend(draw, left + 70, top + CAPTION // 2, font)
        page.paste(Image.fromarray(panel), (left, top + CAPTION))
    return np.asarray(page)


def legend(draw: ImageDraw.ImageDraw, left: int, middle: int, font: Font) -> None:
    """Draw the meaning of the colours of :func:`errors` in one line, from pixel ``left`` at height ``middle``."""
    for colour, word in ((MISSED, "missed"), (ADDED, "added"), (MIXED_UP, "another person's"), (RIGHT, "right")):
        draw.rectangle((left, middle - 6, left + 12, middle + 6), colour, QUIET)
        draw.text((left + 18, middle), word, QUIET, font, anchor="lm")
        left += 18 + round(draw.textlength(word, font)) + 16
