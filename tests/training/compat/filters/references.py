"""The filters once more, from their formulas, in NumPy and OpenCV with 64-bit floats; one picture ``[h, w]`` at a time.

Those that end in a threshold give what is compared with it.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Map = npt.NDArray[np.float64]


def filtered(picture: Map, kernel: object) -> Map:
    """Correlation with zeros around."""
    return np.asarray(cv2.filter2D(picture, -1, np.array(kernel, np.float64), borderType=cv2.BORDER_CONSTANT))


def laplacian(mask: Map) -> Map:
    return filtered(mask, [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]])


def sigmoid(x: Map) -> Map:
    return np.asarray(1 / (1 + np.exp(-x)))


def gaussian(picture: Map, size: int, sigma: float) -> Map:
    line = cv2.getGaussianKernel(size, sigma)
    return filtered(picture, line @ line.T)


def basic(mask: Map) -> Map:
    edge = sigmoid(3 * np.abs(laplacian(mask)))
    blurred = filtered(mask, np.outer([1, 2, 1], [1, 2, 1]) / 16)
    return mask * (1 - edge) + blurred * edge


def directional(mask: Map) -> Map:
    x = filtered(mask, [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    y = filtered(mask, [[-1, -2, -1], [0, 0, 0], [1, 2, 1]])
    angle = np.arctan2(y, x)
    line = np.array([[0.1, 0.2, 0.4, 0.2, 0.1]])
    main = np.diag([0.1, 0.8, 0.1])
    blurs = [filtered(mask, kernel) for kernel in (line, line.T, main, main[::-1])]
    weights = [
        np.cos(angle) ** 2,
        np.sin(angle) ** 2,
        0.5 * np.cos(angle - np.pi / 4) ** 2,
        0.5 * np.cos(angle + np.pi / 4) ** 2,
    ]
    blurred = sum(blur * weight for blur, weight in zip(blurs, weights, strict=True)) / (sum(weights) + 1e-8)
    share = sigmoid(3 * np.sqrt(x**2 + y**2 + 1e-8))
    return mask * (1 - share) + blurred * share


def adaptive(mask: Map, blur_strength: float, edge_sensitivity: float) -> Map:
    edge = np.abs(laplacian(mask)) > 0.5 * edge_sensitivity
    share = blur_strength / 3
    box = cv2.boxFilter(mask, -1, (5, 5), borderType=cv2.BORDER_CONSTANT)
    return np.where(edge, mask * (1 - share) + box * share, mask)


def optimized(mask: Map) -> Map:
    share = np.clip((3 * np.abs(laplacian(mask)) + 0.5) * 0.5, 0, 1)
    line = np.array([1, 4, 6, 4, 1]) / 16
    return mask * (1 - share) + filtered(mask, np.outer(line, line)) * share


def bilateral(picture: Map, size: int, sigma_spatial: float, sigma_range: float) -> Map:
    radius = size // 2
    around = np.pad(picture, radius, mode="reflect")
    total, weights = np.zeros_like(picture), np.zeros_like(picture)
    for dy in range(-radius, radius + 1):
        for dx in range(-radius, radius + 1):
            rows, columns = slice(radius + dy, radius + dy + len(picture)), slice(radius + dx, None)
            neighbour = around[rows, columns][:, : picture.shape[1]]
            distance = (dx**2 + dy**2) / (2 * sigma_spatial**2)
            weight = np.exp(-distance - (neighbour - picture) ** 2 / (2 * sigma_range**2))
            total, weights = total + weight * neighbour, weights + weight
    return total / weights


def fast(picture: Map, size: int, sigma_spatial: float, sigma_range: float) -> Map:
    for _ in range(2):
        blurred = gaussian(picture, size, sigma_spatial)
        variance = np.maximum(gaussian(picture**2, size, sigma_spatial) - blurred**2, 0)
        share = np.exp(-variance / (2 * sigma_range**2))
        picture = share * blurred + (1 - share) * picture
    return picture


def edge_preserving(picture: Map, size: int, _: float, sigma_range: float) -> Map:
    def mean(of: Map) -> Map:
        return np.asarray(cv2.boxFilter(of, -1, (size, size), borderType=cv2.BORDER_CONSTANT))

    middle = mean(picture)
    variance = mean(picture**2) - middle**2
    slope = variance / (variance + sigma_range)
    return mean(slope) * picture + mean(middle - slope * middle)


def binary_mask(picture: Map, size: int, sigma_spatial: float, _: float) -> Map:
    picture = np.clip(picture, 0, 1)
    for _ in range(2):
        blurred = gaussian(picture, size, sigma_spatial)
        share = np.exp(-10 * np.maximum(gaussian(picture**2, size, sigma_spatial) - blurred**2, 0))
        picture = share * blurred + (1 - share) * picture
    return picture


def morphological(picture: Map, size: int, sigma_spatial: float, _: float) -> Map:
    window = np.ones((3, 3), np.uint8)
    opened = cv2.morphologyEx(np.clip(picture, 0, 1), cv2.MORPH_OPEN, window)
    return np.asarray(cv2.morphologyEx(gaussian(opened, size, sigma_spatial), cv2.MORPH_CLOSE, window))
