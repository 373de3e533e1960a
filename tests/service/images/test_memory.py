"""What decoding takes of memory is counted well: it is what a process of its own really takes."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

from benchmarks.harness.paths import ROOT
from hiseg.images.colours.profile import MAX_PROFILE_BYTES
from hiseg.images.encoded import inspect
from hiseg.images.limits import MAX_SIDE
from tests.service.images.colours import profiles
from tests.service.images.files import LIMITS, RANDOM, animated_webp, chunk, encoded, exif, picture

MEBI = 1024 * 1024
SIZE = 1600, 1200
MEASURE = """
import json, sys
from pathlib import Path
from hiseg.images.encoded import inspect
from hiseg.images.limits import ImageLimits

def status(name):
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith(name))

taken = []
for name in sys.argv[1:]:
    image = inspect(Path(name).read_bytes(), ImageLimits(10**9, 10**9))
    image.decode()  # once before, so that no library is loaded meanwhile
    Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS")
    image.decode()
    taken.append(status("VmHWM") - before)
print(json.dumps(taken))
"""


def sixteen_bits(colours: int, before: bytes = b"", most: int = 2**16) -> bytes:
    """A PNG with numbers of 16 bits, all under ``most``: of few numbers the file is small."""
    rows = RANDOM.integers(0, most, (SIZE[1], SIZE[0] * colours), dtype=np.uint16).astype(">u2").view(np.uint8)
    pixels = np.pad(rows & 0xF0, ((0, 0), (1, 0))).tobytes()
    header = struct.pack(">IIBBBBB", *SIZE, 16, {3: 2, 4: 6}[colours], 0, 0, 0)
    parts = chunk(b"IHDR", header), before, chunk(b"IDAT", zlib.compress(pixels, 1)), chunk(b"IEND")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def files() -> dict[str, bytes]:
    """A file of each kind that is decoded in a way of its own, of 2 megapixels."""
    rgb, rgba = picture("RGB", *SIZE), picture("RGBA", *SIZE)
    found = {
        "jpeg": encoded(rgb, "JPEG"),
        "jpeg rotated": encoded(rgb, "JPEG", exif=exif(6)),
        "jpeg progressive 4:4:4": encoded(rgb, "JPEG", progressive=True, subsampling=0),
        "jpeg progressive 4:2:0": encoded(rgb, "JPEG", progressive=True),
        "jpeg with bytes left over": encoded(rgb, "JPEG", restart_marker_rows=1)[:-2] + bytes(8 * MEBI) + b"\xff\xd9",
        "jpeg CMYK": encoded(rgb.convert("CMYK"), "JPEG"),
        "png rotated": encoded(rgba, "PNG", compress_level=1, exif=exif(6)),
        "png transparent colour": encoded(rgb, "PNG", compress_level=1, transparency=(1, 2, 3)),
        "png of one column": encoded(picture("RGB", 1, MAX_SIDE), "PNG", compress_level=1),
        "jpeg Display P3": encoded(rgb, "JPEG", icc_profile=profiles.of_colours(profiles.DISPLAY_P3)),
        "jpeg CMYK with a profile": encoded(rgb.convert("CMYK"), "JPEG", icc_profile=profiles.of_press()),
        "png of 16 bits": sixteen_bits(3),
        "png of 16 bits, black": sixteen_bits(3, most=1),
        "png of 16 bits with alpha": sixteen_bits(4),
        "png of 16 bits with alpha, black": sixteen_bits(4, most=1),
        "png of 16 bits of BT.2020 PQ": sixteen_bits(3, chunk(b"cICP", b"\x09\x10\0\1")),
        "png Display P3 with alpha": encoded(
            rgba, "PNG", compress_level=1, icc_profile=profiles.of_colours(profiles.DISPLAY_P3)
        ),
        "png with a large profile": encoded(
            rgb, "PNG", compress_level=1, icc_profile=profiles.of_scanner(33) + bytes(MAX_PROFILE_BYTES)
        ),
        "webp animated": encoded(rgb, "WEBP", save_all=True, append_images=[rgba.convert("RGB")], method=0),
        "webp small frame": animated_webp(*SIZE, alpha=True),
    }
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        found[f"png {mode}"] = encoded(picture(mode, *SIZE), "PNG", compress_level=1)
    for image in (rgb, rgba):
        found[f"webp lossy {image.mode}"] = encoded(image, "WEBP", method=0)
        found[f"webp lossless {image.mode}"] = encoded(image, "WEBP", lossless=True, method=0, quality=0)
    return found


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux")
def test_no_kind_of_image_takes_more_than_is_counted_nor_much_less(tmp_path: Path) -> None:
    kinds = files()
    for name, data in kinds.items():
        (tmp_path / name).write_bytes(data)
    run = subprocess.run(
        [sys.executable, "-c", MEASURE, *(str(tmp_path / name) for name in kinds)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        check=True,
        # Freed memory goes back at once, so that the next file's is seen.
        env=os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"},
    )
    for (name, data), taken in zip(kinds.items(), json.loads(run.stdout), strict=True):
        counted = inspect(data, LIMITS).decoding_bytes
        assert 0.6 * counted - 5 * MEBI < taken <= counted + MEBI, (name, taken / MEBI, counted / MEBI)
