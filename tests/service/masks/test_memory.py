"""What drawing and writing take of memory is predicted well: it is what a process of its own really takes."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest

from benchmarks.harness.paths import ROOT
from hiseg.api.encoding import MaskFormat, writing_cost
from hiseg.core.box import Box
from hiseg.core.job import PostProcessing
from hiseg.images.encoded import inspect
from hiseg.images.limits import ImageLimits
from hiseg.masks.draw import CropSizes, measure_crops
from hiseg.masks.memory import NOTHING, WritingCost

MEBI = 1024 * 1024
WIDTH, HEIGHT = 4000, 3000
WHOLE = [Box(0, 0, WIDTH, HEIGHT)]
CROWD = [Box(i * 10 + 0.3, i * 5 + 0.3, i * 10 + 570.3, i * 5 + 430.3) for i in range(100)]
MEASURE = """
import json, sys
import numpy as np
from hiseg.api.answer import to_json, to_json_text
from hiseg.api.encoding import MaskFormat, to_png
from hiseg.core.box import Box
from hiseg.core.job import PostProcessing
from hiseg.core.result import ModelRef, Result
from hiseg.images.encoded import inspect
from hiseg.images.limits import ImageLimits
from hiseg.masks.draw import draw_masks

def status(name):
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith(name))

form, dilation, boxes = MaskFormat(sys.argv[1]), int(sys.argv[2]), [Box(*box) for box in json.loads(sys.argv[3])]
y, x = np.mgrid[-1:1:128j, -1:1:96j]
noise = np.random.default_rng(0).normal(0, 0.3, (len(boxes), 128, 96))
margins = (4 * (1 - y**2 - x**2) + noise).astype(np.float32)
image = inspect(sys.stdin.buffer.read(), ImageLimits(10**9, 10**9))
open("/proc/self/clear_refs", "w").write("5")
before = status("VmRSS")
masks = draw_masks(margins, boxes, image.width, image.height, PostProcessing(dilation_px=dilation))
result = Result(image.width, image.height, (), masks, None, ModelRef("m", "1", "b0"))
answer = to_png(image, result, form) if form.is_image else to_json_text(to_json(image, result, form, 0.0))
print(json.dumps([status("VmHWM") - before, len(answer)]))
"""


@pytest.fixture(scope="module")
def photo() -> bytes:
    """A JPEG of 12 megapixels with as much in it as a photo has."""
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT // 20, WIDTH // 20, 3), dtype=np.uint8)
    file = io.BytesIO()
    PIL.Image.fromarray(noise).resize((WIDTH, HEIGHT), PIL.Image.Resampling.BICUBIC).save(file, "JPEG", quality=85)
    return file.getvalue()


@pytest.mark.parametrize(
    ("form", "boxes", "dilation"),
    [
        (MaskFormat.COCO_RLE, WHOLE, 0),
        (MaskFormat.COCO_RLE, CROWD, 20),
        (MaskFormat.POLYGON, WHOLE, 0),
        (MaskFormat.OVERLAY, WHOLE, 50),
        (MaskFormat.OVERLAY, CROWD, 0),
        (MaskFormat.CUTOUT, WHOLE, 0),
        (MaskFormat.PACKED, CROWD, 0),
    ],
)
def test_no_answer_takes_more_than_predicted(photo: bytes, form: MaskFormat, boxes: list[Box], dilation: int) -> None:
    image = inspect(photo, ImageLimits(10**9, 10**9))
    crops = measure_crops(boxes, WIDTH, HEIGHT, PostProcessing(dilation_px=dilation))
    predicted = writing_cost(form).peak_bytes(image, crops)
    command = [sys.executable, "-c", MEASURE, form, str(dilation), json.dumps([box.as_tuple() for box in boxes])]
    run = subprocess.run(command, input=photo, capture_output=True, cwd=ROOT, check=True)
    measured, _ = json.loads(run.stdout)
    assert 0.4 * predicted < measured < 1.1 * predicted + 4 * MEBI, (measured / MEBI, predicted / MEBI)


def test_small_masks_of_a_few_people_take_little() -> None:
    image = inspect(small_photo(), ImageLimits(10**9, 10**9))
    crops = measure_crops([Box(10, 10, 200, 400), Box(300, 20, 500, 450)], 640, 480, PostProcessing())
    for form in MaskFormat:
        assert writing_cost(form).peak_bytes(image, crops) < 8 * MEBI
    assert NOTHING.peak_bytes(image, CropSizes()) == 0


def small_photo() -> bytes:
    file = io.BytesIO()
    PIL.Image.new("RGB", (640, 480)).save(file, "JPEG")
    return file.getvalue()


def test_phases_that_follow_each_other_are_not_added_up() -> None:
    image = inspect(small_photo(), ImageLimits(10**9, 10**9))
    crops = CropSizes(count=1, pixels=10**6, largest=10**6, sides=2000)
    alone = NOTHING.peak_bytes(image, crops)
    assert WritingCost(largest=3).peak_bytes(image, crops) == alone
    assert WritingCost(largest=5).peak_bytes(image, crops) == alone + 10**6
