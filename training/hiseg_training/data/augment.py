"""Random augmentation of training images: geometry, colour, people pasted in front of people, jittered boxes."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from hiseg.core.image import Pixels

Rng = np.random.Generator
Boxes = npt.NDArray[np.float32]
LUMA = np.array([0.299, 0.587, 0.114])


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


def random_colour(rng: Rng, image: Pixels) -> Pixels:
    """Change brightness, contrast, saturation, white balance and tint at random; sometimes to grey, blur or JPEG noise.

    Args:
        rng: source of randomness.
        image: uint8 ``[H, W, 3]`` RGB.

    Returns:
        A new array of the same shape and type.
    """
    saturation = 0.0 if rng.random() < 0.05 else rng.uniform(0.5, 1.5)
    mix = saturation * np.eye(3) + (1 - saturation) * np.tile(LUMA, (3, 1))
    mix += rng.normal(0, 0.04, (3, 3))
    mix *= rng.uniform(0.7, 1.35)
    offset = rng.uniform(-15, 15, (3, 1))
    image = np.asarray(cv2.transform(image, np.column_stack([mix, offset])), dtype=np.uint8)
    draw = rng.random()
    if draw < 0.1:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 2.0)), dtype=np.uint8)
    elif draw < 0.2:
        quality = int(rng.integers(25, 80))
        encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        image = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), dtype=np.uint8)
    return image


def paste_person(
    rng: Rng, image: Pixels, identities: Pixels, donor: Pixels, donor_mask: Pixels, target: int, identity: int
) -> bool:
    """Paste a person from another photo in front of person ``target`` (Ghiasi et al., 2021, arXiv:2012.07177).

    Args:
        rng: source of randomness.
        image: uint8 ``[H, W, 3]``, changed in place.
        identities: uint8 ``[H, W]``, changed in place.
        donor: uint8 ``[h, w, 3]``, a crop of the other photo.
        donor_mask: uint8 0/1 ``[h, w]``, the person in that crop.
        target: identity of the person to paste in front of, or beside.
        identity: identity that the pasted person gets.

    Returns:
        Whether the person was pasted: not if the target is tiny, or less than 40 % of it would stay visible.
    """
    ys, xs = np.nonzero(identities == target)
    if ys.size < 64:
        return False
    height = ys.max() - ys.min() + 1
    width = xs.max() - xs.min() + 1
    side = np.sqrt(height * width) / np.sqrt(donor.shape[0] * donor.shape[1]) * np.exp(rng.normal(0, 0.3))
    flip = -1.0 if rng.random() < 0.5 else 1.0
    # The donor's centre lands off to a side of the target more often than on top of it.
    cx = (xs.min() + xs.max()) / 2 + rng.choice([-1, 1]) * rng.uniform(0.15, 0.8) * width
    cy = (ys.min() + ys.max()) / 2 + rng.normal(0, 0.25) * height
    linear = side * np.array([[flip, 0.0], [0.0, 1.0]])
    shift = np.array([cx, cy]) - linear @ (np.array([donor.shape[1], donor.shape[0]]) / 2)
    matrix = np.column_stack([linear, shift])
    size = (identities.shape[1], identities.shape[0])
    alpha = cv2.warpAffine(donor_mask.astype(np.float32), matrix, size, flags=cv2.INTER_LINEAR)
    covers = alpha > 0.5
    if not covers.any() or np.count_nonzero(covers & (identities == target)) > 0.6 * ys.size:
        return False
    y1, y2 = np.flatnonzero(covers.any(1))[[0, -1]] + (0, 1)
    x1, x2 = np.flatnonzero(covers.any(0))[[0, -1]] + (0, 1)
    region = (slice(y1, y2), slice(x1, x2))
    drawn = cv2.warpAffine(donor, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[region]
    weight = alpha[region][..., None]
    image[region] = (drawn * weight + image[region] * (1 - weight)).astype(np.uint8)
    identities[covers] = identity
    return True


def jitter_boxes(rng: Rng, boxes: Boxes, share: float, limits: tuple[int, int]) -> Boxes:
    """Move each edge of each box by a uniform share of the box's side.

    Args:
        rng: source of randomness.
        boxes: float32 ``[N, 4]`` of ``x1 y1 x2 y2``, in pixels.
        share: largest shift, as a share of the box's side.
        limits: (height, width) that boxes are clipped to.

    Returns:
        float32 ``[N, 4]``.
    """
    sides = np.tile(boxes[:, 2:] - boxes[:, :2], (1, 2))
    moved = boxes + rng.uniform(-share, share, boxes.shape) * sides
    upper = np.array([limits[1], limits[0], limits[1], limits[0]])
    return np.clip(moved, 0, upper).astype(np.float32)
