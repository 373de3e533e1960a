"""The tensor contract is checked on model signatures; the files themselves are tested with the engines."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hiseg.core.canvas import Resize
from hiseg.engines.base import UNKNOWN_COST, Outputs, with_masks
from hiseg.engines.contract import (
    MS_PER_GMAC,
    ModelError,
    ModelSignature,
    contract_violations,
    describe,
    mask_output_of,
)

SIGNATURE = ModelSignature(
    source="model.onnx",
    types={"images": "uint8", "rois": "float32", "masks": "float32", "binary_masks": "float32"},
    inputs={"images": ["batch", 3, 640, 640], "rois": ["people", 5]},
    outputs={"masks": ["people", 3, 128, 96], "binary_masks": ["batch", 1, 640, 640]},
    metadata={},
)


def test_shapes_alone_describe_a_model_without_metadata() -> None:
    info, mask_output = describe(SIGNATURE, "hiseg_b1", "3", "onnx")
    assert (info.ref.name, info.ref.version, info.ref.variant) == ("hiseg_b1", "3", "b1")
    assert (info.canvases, info.mask_size, info.resize) == (((640, 640),), (128, 96), Resize.STRETCH)
    assert (info.takes_uint8, info.crop_scale, info.cost_prior) == (True, 1.0, UNKNOWN_COST)
    assert mask_output == "masks"


def test_metadata_goes_before_shapes() -> None:
    metadata = {"variant": "b7", "canvases": "[[480, 640]]", "resize": "letterbox", "gmac": "[2, 0.5]"}
    info, _ = describe(replace(SIGNATURE, metadata=metadata), "hiseg_b1", "3", "onnx")
    assert (info.ref.variant, info.canvases, info.resize) == ("b7", ((480, 640),), Resize.LETTERBOX)
    assert (info.cost_prior.image, info.cost_prior.roi) == (2 * MS_PER_GMAC, 0.5 * MS_PER_GMAC)


def test_wide_masks_are_preferred_and_must_say_how_wide() -> None:
    wide = replace(
        SIGNATURE,
        types=SIGNATURE.types | {"wide_masks": "float32"},
        outputs=SIGNATURE.outputs | {"wide_masks": ["people", 3, 128, 96]},
    )
    assert mask_output_of(wide) == "wide_masks"
    assert contract_violations(wide) == ["mask_extent is None in its metadata, not a number of 1 to 2"]
    info, _ = describe(replace(wide, metadata={"mask_extent": "1.2"}), "hiseg_b0", "1", "onnx")
    assert info.crop_scale == 1.2


MASKS_ALONE = replace(SIGNATURE, outputs={"masks": SIGNATURE.outputs["masks"]})
FOREGROUND_ALONE = replace(
    SIGNATURE,
    inputs={"images": SIGNATURE.inputs["images"]},
    outputs={"binary_masks": SIGNATURE.outputs["binary_masks"]},
)


def test_masks_and_foreground_may_be_graphs_of_their_own() -> None:
    both, _ = describe(SIGNATURE, "hiseg_b1", "1", "onnx")
    masks, output = describe(MASKS_ALONE, "hiseg_b1", "1", "onnx")
    foreground, none = describe(FOREGROUND_ALONE, "hiseg_foreground", "1", "onnx")
    assert (both.outputs, masks.outputs, foreground.outputs) == (Outputs.BOTH, Outputs.MASKS, Outputs.FOREGROUND)
    assert (output, none) == ("masks", None)
    assert (masks.mask_size, foreground.mask_size) == ((128, 96), (0, 0))
    assert [ref.name for ref in with_masks([both, masks, foreground])] == ["hiseg_b1", "hiseg_b1"]
    described = foreground.describe()
    assert described["outputs"] == ["foreground"]
    assert not {"mask_size", "mask_extent"} & set(described)
    assert both.describe()["outputs"] == ["masks", "foreground"]
    assert [masks.keeps(both), both.keeps(foreground), foreground.keeps(masks), masks.keeps(foreground)] == [
        True,
        True,
        False,
        False,
    ]


FINDER = replace(
    FOREGROUND_ALONE,
    types=SIGNATURE.types | {"boxes": "float32"},
    outputs=FOREGROUND_ALONE.outputs | {"boxes": ["people", 6]},
)


def test_boxes_make_a_graph_without_masks_a_finder() -> None:
    finder, output = describe(FINDER, "hiseg_find", "1", "onnx")
    assert (finder.outputs, finder.is_finder, finder.has_masks, output) == (
        Outputs.BOXES | Outputs.FOREGROUND,
        True,
        False,
        None,
    )
    foreground, _ = describe(FOREGROUND_ALONE, "hiseg_find", "2", "onnx")
    assert (finder.keeps(foreground), foreground.keeps(finder)) == (True, False)
    assert contract_violations(replace(FINDER, outputs=FINDER.outputs | {"boxes": ["people", 5]}))
    assert contract_violations(replace(FINDER, outputs={"boxes": ["people", 6]})), "the foreground is part of it"
    with_masks_too = replace(SIGNATURE, types=FINDER.types, outputs=SIGNATURE.outputs | {"boxes": [1, 7]})
    assert describe(with_masks_too, "own", "1", "onnx")[0].outputs is Outputs.BOTH, "another's boxes don't count"


@pytest.mark.parametrize("signature", [MASKS_ALONE, FOREGROUND_ALONE])
def test_a_graph_takes_the_inputs_of_what_it_gives(signature: ModelSignature) -> None:
    others = FOREGROUND_ALONE if signature is MASKS_ALONE else MASKS_ALONE
    assert contract_violations(replace(signature, inputs=others.inputs))


@pytest.mark.parametrize("missing", ["images", "rois", "masks"])
def test_a_missing_tensor_is_an_error_and_no_crash(missing: str) -> None:
    signature = replace(
        SIGNATURE,
        inputs={name: shape for name, shape in SIGNATURE.inputs.items() if name != missing},
        outputs={name: shape for name, shape in SIGNATURE.outputs.items() if name != missing},
    )
    assert contract_violations(signature)
    with pytest.raises(ModelError, match=r"^model\.onnx: "):
        describe(signature, "hiseg_b0", "1", "onnx")


def test_all_violations_are_named_at_once() -> None:
    wrong = replace(SIGNATURE, types=SIGNATURE.types | {"images": "float64"}, metadata={"resize": "crop"})
    with pytest.raises(ModelError, match=r"images are float64, not uint8 or float32; resize is 'crop'"):
        describe(wrong, "hiseg_b0", "1", "onnx")
