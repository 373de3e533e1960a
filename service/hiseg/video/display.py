"""Turns and mirrors frames as a video's display matrix says, which is how cameras note how they were held."""

from __future__ import annotations

import math
from typing import cast

import av
import numpy as np
import numpy.typing as npt
from av.sidedata.sidedata import SideDataContainer, Type
from PIL import Image

from hiseg.core.image import Pixels
from hiseg.video.frame import VideoError

TOLERANCE = math.tan(math.radians(1))
"""How far a matrix may be from a quarter turn: a degree, as in ffmpeg."""
Matrix = npt.NDArray[np.float64]
"""``[[a, b], [c, d]]``: pixel ``(x, y)`` is shown at ``(a x + c y, b x + d y)``, but for a shift."""

ORIENTATION = 0x0112
"""EXIF's tag of how the camera was held."""
BY_ORIENTATION = {
    1: ((1, 0), (0, 1)),
    2: ((-1, 0), (0, 1)),
    3: ((-1, 0), (0, -1)),
    4: ((1, 0), (0, -1)),
    5: ((0, 1), (1, 0)),
    6: ((0, 1), (-1, 0)),
    7: ((0, -1), (-1, 0)),
    8: ((0, -1), (1, 0)),
}


def display_matrix(decoded: av.VideoFrame) -> Matrix | None:
    """Return how a frame is to be shown, float64 ``[2, 2]``; None if it is to be shown as it is."""
    try:
        data = cast(SideDataContainer, decoded.side_data)[Type.DISPLAYMATRIX]
    except KeyError:
        return None
    except ValueError:  # There is a kind that PyAV doesn't know, such as EXIF; the angle is told nevertheless.
        angle = math.radians(decoded.rotation)
        return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]).round(6)
    # Nine numbers, row by row, of which the third column is about perspective, which nobody uses.
    return np.frombuffer(bytes(data), dtype="=i4").reshape(3, 3)[:2, :2].astype(np.float64)


def picture_matrix(path: str, format_name: str) -> Matrix | None:
    """Return how a picture is to be shown by its EXIF orientation; None if the file is a video.

    Args:
        path: of the file.
        format_name: FFmpeg's name of its format.
    """
    if format_name != "image2" and not format_name.endswith("_pipe"):
        return None
    try:
        with Image.open(path) as image:
            orientation = image.getexif().get(ORIENTATION, 1)
    except (OSError, ValueError, SyntaxError):
        return None
    return np.array(BY_ORIENTATION.get(orientation, BY_ORIENTATION[1]), dtype=np.float64)


def is_lying(matrix: Matrix | None) -> bool:
    """Return whether height and width change places."""
    return matrix is not None and bool(abs(matrix[0, 1]) > abs(matrix[0, 0]))


def show(pixels: Pixels, matrix: Matrix | None) -> Pixels:
    """Turn and mirror a frame as players show it.

    Args:
        pixels: uint8 ``[H, W, 3]``, as it is stored.
        matrix: float64 ``[2, 2]``; of its size only the proportions count. None, or zeros, leave the frame as it is.

    Returns:
        uint8 ``[H, W, 3]`` or, lying, ``[W, H, 3]``, contiguous.

    Raises:
        VideoError: the frame is to be turned by another angle than a quarter turn.
    """
    if matrix is None or not matrix.any():
        return pixels
    lying = is_lying(matrix)
    along, across = (np.fliplr(matrix) if lying else matrix), (matrix if lying else np.fliplr(matrix))
    if (np.abs(np.diag(across)) > TOLERANCE * np.abs(np.diag(along)).min()).any():
        angle = math.degrees(math.atan2(matrix[0, 1], matrix[0, 0]))
        words = "only quarter turns and mirror images are taken; `ffmpeg -i INPUT OUTPUT` makes it upright"
        raise VideoError(f"the video is to be shown turned by {angle:.0f} degrees: {words}")
    if lying:
        pixels = pixels.transpose(1, 0, 2)
    # Whatever goes left, or up, along an axis of the picture that is shown is mirrored in it.
    leftwards, upwards = (matrix[1, 0] < 0, matrix[0, 1] < 0) if lying else (matrix[0, 0] < 0, matrix[1, 1] < 0)
    return np.ascontiguousarray(pixels[:: -1 if upwards else 1, :: -1 if leftwards else 1])
