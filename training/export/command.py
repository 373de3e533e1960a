"""``hiseg-train export`` and ``optimize``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.config import CANVASES, Size
from training.data.coco import data_root
from training.export.onnx import OPSETS, Form
from training.export.optimize import optimize as optimize_file
from training.export.precision import Precision
from training.export.write import convert, write_checkpoint
from training.refusals import refused_plainly

Data = Annotated[Path, typer.Option(default_factory=data_root, help="photographs to calibrate int8 on, from train")]


def sizes(texts: list[str]) -> tuple[Size, ...]:
    """``H,W`` each, as (height, width).

    Raises:
        ValueError: one isn't of that form.
    """
    found = []
    for text in texts:
        height, _, width = text.replace("x", ",").partition(",")
        if not (height.isdecimal() and width.isdecimal()):
            raise ValueError(f"image_size: {text!r} is not H,W")
        found.append((int(height), int(width)))
    return tuple(found)


def export(
    source: Annotated[Path, typer.Argument(metavar="CHECKPOINT", exists=True, dir_okay=False)],
    data: Data,
    output: Annotated[Path, typer.Option("--output", "-o", help="the .onnx file")] = Path("model.onnx"),
    image_size: Annotated[
        list[str] | None,
        typer.Option("--image-size", "--image_size", help="canvas H,W that it declares; may be given again; else five"),
    ] = None,
    dilation_pixels: Annotated[
        int, typer.Option("--dilation-pixels", "--dilation_pixels", help="the seed's dilation of logits, in mask cells")
    ] = 0,
    dtype: Annotated[str, typer.Option(help="of images: uint8, 0..255, or float32, 0..1")] = "uint8",
    precision: Annotated[Precision, typer.Option(help="fp16 for GPUs, int8 for CPUs")] = Precision.FP32,
    opset: Annotated[int, typer.Option(help=f"{OPSETS[0]} to {OPSETS[-1]}")] = OPSETS[0],
) -> None:
    """Write a checkpoint as ONNX, checked against PyTorch; or give an exported .onnx another precision."""
    with refused_plainly():
        form = Form(sizes(image_size or []) or CANVASES, dtype, dilation_pixels, opset)
        if source.suffix != ".onnx":
            said = write_checkpoint(source, output, form, precision, data)
        elif precision is Precision.FP32 or form != Form():
            raise ValueError("of an .onnx file only the precision can be changed, to fp16 or int8")
        else:
            said = convert(source, output, precision, data)
    typer.echo(f"{said}\nwrote {output} ({output.stat().st_size / 1e6:.1f} MB)")


def optimize(
    source: Annotated[Path, typer.Argument(metavar="IN", exists=True, dir_okay=False)],
    output: Annotated[Path, typer.Argument(metavar="OUT")],
) -> None:
    """Simplify any ONNX file; refused if it then gives anything else."""
    with refused_plainly():
        typer.echo(optimize_file(source, output))
