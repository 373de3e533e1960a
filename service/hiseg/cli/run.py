"""``hiseg run``: segments one photo without a server."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import typer

from hiseg.api.answer import to_json
from hiseg.api.boxes import BoxFormat, parse_boxes
from hiseg.api.embedded import segment_embedded
from hiseg.api.encoding import MaskFormat, to_png
from hiseg.api.options import Options
from hiseg.cli import mask_options
from hiseg.cli.numbers import number
from hiseg.cli.options import Model, Repository, Variant, exit_on, read_settings
from hiseg.core.command_errors import CommandError
from hiseg.core.errors import HisegError
from hiseg.core.image import ImageSource
from hiseg.core.job import DEFAULT_TOLERANCE_PX, MAX_TOLERANCE_PX, Mode, Smoothing
from hiseg.core.result import Result
from hiseg.core.start_error import StartError
from hiseg.core.stop import Stop
from hiseg.engines.contract import ModelError
from hiseg.models.canary import CanaryMismatch
from hiseg.models.running import models_running, new_segmenter
from hiseg.models.self_test import SelfTestFailed
from hiseg.observability.metrics import Metrics


def run(
    photo: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="JPEG, PNG or WebP")],
    box: Annotated[list[str] | None, typer.Option(help="x1,y1,x2,y2; once per person")] = None,
    box_format: Annotated[BoxFormat, typer.Option(help="what the four numbers of a box mean")] = BoxFormat.XYXY,
    normalized: Annotated[
        bool, typer.Option("--normalized", help="boxes are shares 0..1 of the image's width and height")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="PNG: the masks drawn on the image, or the label map or cut-out"),
    ] = None,
    json_output: Annotated[Path | None, typer.Option("--json", help="the answer as the service would give it")] = None,
    model: Model = None,
    variant: Variant = None,
    mask_format: Annotated[
        MaskFormat, typer.Option(help="how --json writes masks; label_map and cutout also say what -o is")
    ] = MaskFormat.COCO_RLE,
    tolerance_px: Annotated[
        float, number("how far polygons may be simplified", min=0, max=MAX_TOLERANCE_PX)
    ] = DEFAULT_TOLERANCE_PX,
    mode: Annotated[Mode, typer.Option(help="a mask per box, or everybody at once")] = Mode.INSTANCE,
    threshold: mask_options.Threshold = 0.5,
    smoothing: mask_options.SmoothingOption = Smoothing.NONE,
    dilation_px: mask_options.DilationPx = 0,
    resolve_overlaps: mask_options.ResolveOverlaps = False,
    repository: Repository = None,
) -> None:
    """Segment one photo; no server needed."""
    settings = read_settings(model_repository=repository)
    options = Options(
        mode=mode,
        box_format=box_format,
        normalized=normalized,
        smoothing=smoothing,
        threshold=threshold,
        dilation_px=dilation_px,
        resolve_overlaps=resolve_overlaps,
    )

    def write(image: ImageSource, result: Result, stop: Stop) -> None:
        if output:
            own = mask_format in (MaskFormat.LABEL_MAP, MaskFormat.CUTOUT)
            output.write_bytes(to_png(image, result, mask_format if own else MaskFormat.OVERLAY))
        if json_output:
            form = MaskFormat.COCO_RLE if mask_format.is_image else mask_format
            answer = to_json(image, result, form, tolerance_px)
            json_output.write_text(answer.model_dump_json(indent=2, exclude_none=True) + "\n")

    async def segment() -> Result:
        rows = parse_boxes(";".join(box or []))
        if not rows and mode is Mode.INSTANCE:
            raise CommandError("there are no boxes; give --box x1,y1,x2,y2 for each person, or --mode binary")
        with ThreadPoolExecutor(1) as executor:
            segmenter = new_segmenter(settings, executor)
            image = segmenter.inspect(photo.read_bytes())
            async with models_running(segmenter, settings, Metrics()):
                name = segmenter.choose_model(model, variant, settings.default_variant).ref.name
                result, _ = await segment_embedded(segmenter, image, rows, options, name, write)
                return result

    with exit_on(CommandError, StartError, ModelError, CanaryMismatch, SelfTestFailed, HisegError):
        result = asyncio.run(segment())
    for note in result.notes:
        typer.echo(f"hiseg: {note}", err=True)
    for instance in (*result.instances, *([result.foreground] if result.foreground else [])):
        corners = ", ".join(f"{v:g}" for v in instance.box.as_tuple())
        typer.echo(f"box {corners}: {instance.area} pixels, score {instance.score:.2f}")
    typer.echo("  ".join(f"{stage} {ms:.1f} ms" for stage, ms in result.timings_ms.items()))
