"""``hiseg-train export``, ``export-unet`` and ``optimize``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hiseg_training.cli.calibration import CalibrationAnnotations, calibration_set
from hiseg_training.cli.errors import cli_errors
from hiseg_training.cli.options import (
    Category,
    Data,
    Images,
    ProvenanceFile,
    latest_match,
    people_names,
    tell,
)
from hiseg_training.config.model import CANVASES, Size
from hiseg_training.export.forms import OPSETS, Graph, Precision


def parse_sizes(texts: list[str]) -> tuple[Size, ...]:
    """Parse ``H,W`` (or ``HxW``) texts into (height, width) pairs, in pixels.

    Raises:
        ValueError: a text does not have that form.
    """
    found = []
    for text in texts:
        height, _, width = text.replace("x", ",").partition(",")
        if not (height.isdecimal() and width.isdecimal()):
            raise ValueError(f"image_size: {text!r} is not H,W")
        found.append((int(height), int(width)))
    return tuple(found)


def export(
    checkpoint: Annotated[
        str, typer.Argument(metavar="CHECKPOINT", help="or an exported .onnx; a pattern means the newest that matches")
    ],
    data: Data,
    output: Annotated[Path, typer.Option("--output", "-o", help="the .onnx file", metavar="FILE")] = Path("model.onnx"),
    image_size: Annotated[
        list[str] | None,
        typer.Option(
            "--image-size",
            "--image_size",
            help="canvas that it declares; may be given again",
            metavar="H,W",
            show_default=", ".join(f"{height},{width}" for height, width in CANVASES),
        ),
    ] = None,
    dilation_pixels: Annotated[
        int, typer.Option("--dilation-pixels", "--dilation_pixels", help="upstream's dilation of logits, in mask cells")
    ] = 0,
    graph: Annotated[Graph, typer.Option(help="what it computes; both is upstream's contract")] = Graph.MASKS,
    dtype: Annotated[str, typer.Option(help="of images: uint8, 0..255, or float32, 0..1")] = "uint8",
    precision: Annotated[
        Precision, typer.Option(help="fp16: half as large; int8: a quarter, faster on CPUs")
    ] = Precision.FP32,
    train_ann: CalibrationAnnotations = None,
    train_images: Images = None,
    category: Category = None,
    opset: Annotated[int, typer.Option(help=f"{OPSETS[0]} to {OPSETS[-1]}")] = OPSETS[0],
    provenance: ProvenanceFile = None,
) -> None:
    """Write a checkpoint as ONNX, checked against PyTorch; or give an exported .onnx another precision."""
    from hiseg_training.engine.checkpoints import load_checkpoint
    from hiseg_training.export.onnx import ExportOptions
    from hiseg_training.export.provenance import read_provenance
    from hiseg_training.export.write import check_photos, convert, write_model

    with cli_errors():
        form = ExportOptions(graph, parse_sizes(image_size or []) or CANVASES, dtype, dilation_pixels, opset)
        source = latest_match(checkpoint, "checkpoint")
        exported = source.suffix == ".onnx"
        if exported and (precision is Precision.FP32 or form != ExportOptions() or provenance is not None):
            raise ValueError("of an .onnx file only the precision can be changed, to fp16 or int8")
        origin, model = read_provenance(provenance), None if exported else load_checkpoint(source)
        calibration = calibration_set(precision, train_ann, train_images, data)
        photos = calibration.read(people_names(category), tell) if calibration else []
        check_photos(precision, photos)
        if model is None:
            outcome = convert(source, output, precision, photos)
        else:
            outcome = write_model(model, output, form, precision, photos, origin)
    typer.echo(f"{outcome}\nwrote {output} ({output.stat().st_size / 1e6:.1f} MB)")


def export_unet(
    checkpoint: Annotated[str, typer.Option(help="ours or upstream's; a pattern means the newest that matches")],
    batch_size: Annotated[int, typer.Option(help="images at a time")] = 1,
    height: Annotated[int, typer.Option(help="of the canvas, pixels")] = 640,
    width: Annotated[int, typer.Option(help="of the canvas, pixels")] = 640,
    dynamic: Annotated[bool, typer.Option("--dynamic", help="leave batch, height and width open")] = False,
    no_optimize: Annotated[bool, typer.Option("--no-optimize", help="leave the graph as it was exported")] = False,
    output_dir: Annotated[
        Path | None, typer.Option(help="folder of the file", metavar="FOLDER", show_default="the checkpoint's")
    ] = None,
    opset: Annotated[int, typer.Option(help=f"{OPSETS[0]} to {OPSETS[-1]}")] = OPSETS[0],
) -> None:
    """Write the foreground network of a checkpoint as ONNX: normalised image in, logit of a person out."""
    from hiseg_training.compat.export_unet import UNetExportOptions
    from hiseg_training.compat.export_unet import export_unet as write_unet
    from hiseg_training.compat.foreground import read_foreground

    with cli_errors():
        source = latest_match(checkpoint, "checkpoint")
        output = (output_dir or source.parent) / f"{source.stem}.onnx"
        form = UNetExportOptions((height, width), batch_size, dynamic, opset)
        found = read_foreground(source)
        output.parent.mkdir(parents=True, exist_ok=True)
        difference = write_unet(found, output, form, simplify=not no_optimize)
    typer.echo(
        f"{found.variant}; PyTorch and ONNX Runtime differ by {difference:.1e} at most\n"
        f"wrote {output} ({output.stat().st_size / 1e6:.1f} MB)"
    )


def optimize(
    source: Annotated[Path, typer.Argument(metavar="IN", exists=True, dir_okay=False, help="the .onnx file")],
    output: Annotated[Path, typer.Argument(metavar="OUT", help="where to write it")],
) -> None:
    """Simplify any ONNX file; refused if it then gives anything else."""
    from hiseg_training.export.optimize import optimize as optimize_file

    with cli_errors():
        typer.echo(optimize_file(source, output))
