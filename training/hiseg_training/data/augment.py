"""Random augmentation of training images: geometry, colour, people pasted in front of people, jittered boxes."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from hiseg.core.image import Pixels

Rng = np.random.Generator
Boxes = npt.NDArray[np.float32]
Scale = npt.NDArray[np.floating[Any]]
LUMA = np.array([0.299, 0.587, 0.114])
VISIBLE = 0.4
"""Least share of a person that stays visible when others are pasted in front."""


def random_affine(
    rng: Rng, image_size: tuple[int, int], canvas_size: tuple[int, int], scales: tuple[float, float]
) -> npt.NDArray[np.float64]:
    """Draw a random affine map from image to canvas: fit, flip (half the time), scale, turn up to 12 degrees, shift.

    Args:
        rng: source of randomness.
        image_size: (height, width) of the image.
        canvas_size: (height, width) of the canvas.
        scales: least and largest scale, as multiples of the one that just fits the canvas.

    Returns:
        float64 ``[2, 3]``, from pixels ``(x, y, 1)`` of the image to pixels of the canvas.
    """
    height, width = image_size
    fit = min(canvas_size[0] / height, canvas_size[1] / width)
    scale = fit * np.exp(rng.uniform(*np.log(scales)))
    angle = np.deg2rad(np.clip(rng.normal(0, 5), -12, 12))
    flip = -1.0 if rng.random() < 0.5 else 1.0
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    linear = np.array([[cos * flip, -sin], [sin * flip, cos]])
    slack = np.abs(np.array(canvas_size[::-1]) - scale * np.array([width, height])) / 2
    centre = np.array(canvas_size[::-1]) / 2 + rng.uniform(-1, 1, 2) * slack
    shift = centre - linear @ (np.array([width, height]) / 2)
    return np.column_stack([linear, shift])


def fit_matrix(image_size: tuple[int, int], canvas_size: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Return the float64 ``[2, 3]`` map that fits an image into the canvas, top left; sizes are (height, width)."""
    scale = min(canvas_size[0] / image_size[0], canvas_size[1] / image_size[1])
    # OpenCV puts pixel centres at whole numbers; boxes put pixel edges there.
    return np.array([[scale, 0, scale / 2 - 0.5], [0, scale, scale / 2 - 0.5]])


def warp(
    image: Pixels, identities: Pixels, matrix: npt.NDArray[np.float64], size: tuple[int, int]
) -> tuple[Pixels, Pixels]:
    """Warp an image (linear) and its identities (nearest neighbour) onto a canvas; both are 0 outside the image.

    Args:
        image: uint8 ``[H, W, 3]``.
        identities: uint8 ``[H, W]``.
        matrix: float64 ``[2, 3]``, from image to canvas pixels.
        size: (height, width) of the canvas.

    Returns:
        uint8 ``[h, w, 3]`` and uint8 ``[h, w]``.
    """
    nearest = cv2.warpAffine(identities, matrix, (size[1], size[0]), flags=cv2.INTER_NEAREST)
    return warp_linear(image, matrix, size), np.asarray(nearest, dtype=np.uint8)


def warp_linear(plane: Pixels, matrix: npt.NDArray[np.float64], size: tuple[int, int]) -> Pixels:
    """Warp uint8 ``[H, W, 3]`` or ``[H, W]`` linearly onto a canvas of (height, width) ``size``, 0 outside."""
    return np.asarray(cv2.warpAffine(plane, matrix, (size[1], size[0]), flags=cv2.INTER_LINEAR), dtype=np.uint8)


def random_colour(rng: Rng, image: Pixels, strength: float = 1.0) -> Pixels:
    """Change brightness, contrast, saturation, white balance and tint at random; sometimes to grey, blur or JPEG noise.

    Args:
        rng: source of randomness.
        image: uint8 ``[H, W, 3]`` RGB.
        strength: 0..1, how far and how often.

    Returns:
        A new array of the same shape and type.
    """
    saturation = 0.0 if rng.random() < 0.05 * strength else 1 + rng.uniform(-0.5, 0.5) * strength
    mix = saturation * np.eye(3) + (1 - saturation) * np.tile(LUMA, (3, 1))
    mix += rng.normal(0, 0.04, (3, 3)) * strength
    mix *= 1 + rng.uniform(-0.3, 0.35) * strength
    offset = rng.uniform(-15, 15, (3, 1)) * strength
    image = np.asarray(cv2.transform(image, np.column_stack([mix, offset])), dtype=np.uint8)
    draw = rng.random()
    if draw < 0.1 * strength:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 2.0)), dtype=np.uint8)
    elif draw < 0.2 * strength:
        quality = int(rng.integers(25, 80))
        encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        image = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), dtype=np.uint8)
    return image


class Cutout(NamedTuple):
    """What is cut out of another photo, to be pasted.

    Attributes:
        pixels: uint8 ``[h, w, 3]``.
        mask: uint8 0/1 ``[h, w]``, what of it is pasted.
        scale: float ``[2]``, pixels of its photo that are one of these, across and down; only proportions matter.
    """

    pixels: Pixels
    mask: Pixels
    scale: Scale


def paste(
    rng: Rng,
    image: Pixels,
    labels: Pixels,
    target: int,
    cutout: Cutout,
    label: int,
    least: float,
    size: tuple[float, float] = (1.0, 0.3),
    scale: Scale | None = None,
) -> tuple[int, int, int, int] | None:
    """Paste somebody or something in front of, or beside, what has the label ``target`` (arXiv:2012.07177).

    Args:
        rng: source of randomness.
        image: uint8 ``[H, W, 3]``, changed in place.
        labels: uint8 ``[H, W]``, changed in place.
        target: label of the pixels to paste in front of, or beside.
        cutout: what is pasted.
        label: what its pixels are labelled with.
        least: nothing is pasted if fewer pixels of the target would stay visible.
        size: median of the side of what is pasted, as a multiple of the target's, and spread of its logarithm.
        scale: float ``[2]``, pixels of its photo that are one pixel of ``image``, across and down: what is pasted gets
            no finer detail than the photo has. None: the image is the photo.

    Returns:
        ``x1 y1 x2 y2`` of the tightest box around what was pasted, x2 and y2 exclusive; None if nothing was.
    """
    visible = np.equal(labels, target).view(np.uint8)
    x, y, width, height = cv2.boundingRect(visible)
    scale = np.ones(2) if scale is None else scale
    stretch = cutout.scale / scale
    sides = np.array(cutout.mask.shape[::-1]) * stretch
    sides *= np.sqrt(width * height / sides.prod()) * size[0] * np.exp(rng.normal(0, size[1]))
    across, down = (max(1, round(side)) for side in sides)
    flip = -1 if rng.random() < 0.5 else 1
    # The centre lands off to a side of the target more often than on top of it.
    left = round(x + width / 2 + rng.choice([-1, 1]) * rng.uniform(0.15, 0.8) * width - across / 2)
    top = round(y + height / 2 + rng.normal(0, 0.25) * height - down / 2)
    x1, y1, x2, y2 = max(0, left), max(0, top), min(labels.shape[1], left + across), min(labels.shape[0], top + down)
    if x1 >= x2 or y1 >= y2:
        return None
    part = np.s_[y1 - top : y2 - top, x1 - left : x2 - left]
    finest = np.minimum(scale, 1)
    alpha = _resized(cutout.mask[:, ::flip].astype(np.float32), across, down, finest)[part]
    covers = alpha > 0.5
    region = np.s_[y1:y2, x1:x2]
    if not covers.any() or np.count_nonzero(visible) - np.count_nonzero(visible[region][covers]) < least:
        return None
    drawn = _resized(cutout.pixels[:, ::flip], across, down, finest)[part]
    image[region] = cv2.blendLinear(drawn, image[region], alpha, 1 - alpha)
    labels[region][covers] = label
    x, y, width, height = cv2.boundingRect(covers.view(np.uint8))
    return x1 + x, y1 + y, x1 + x + width, y1 + y + height


def _resized(plane: npt.NDArray[Any], width: int, height: int, finest: Scale) -> npt.NDArray[Any]:
    """Resize ``[h, w]`` or ``[h, w, 3]``, with the detail of ``finest`` 0..1 of the new size, across and down."""
    across, down = np.maximum(np.round(np.array([width, height]) * finest), 1).astype(int).tolist()
    shrinks = across <= plane.shape[1] and down <= plane.shape[0]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    coarse = cv2.resize(np.ascontiguousarray(plane), (across, down), interpolation=how)
    return np.asarray(coarse if (across, down) == (width, height) else cv2.resize(coarse, (width, height)))


def jitter_boxes(rng: Rng, boxes: Boxes, share: float, frame: npt.ArrayLike) -> Boxes:
    """Move each edge of each box by a uniform share of the box's side.

    Args:
        rng: source of randomness.
        boxes: float32 ``[N, 4]`` of ``x1 y1 x2 y2``, in pixels.
        share: largest shift, as a share of the box's side.
        frame: ``x1 y1 x2 y2`` that boxes are clipped to.

    Returns:
        float32 ``[N, 4]``.
    """
    sides = np.tile(boxes[:, 2:] - boxes[:, :2], (1, 2))
    moved = boxes + rng.uniform(-share, share, boxes.shape) * sides
    limits = np.asarray(frame)
    return np.clip(moved, np.tile(limits[:2], 2), np.tile(limits[2:], 2)).astype(np.float32)
