"""``hiseg run``: segments one photo, or a folder of them, without a server or by one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hiseg.api.boxes import BoxFormat
from hiseg.api.encoding import MaskFormat
from hiseg.cli import mask_options
from hiseg.cli.numbers import number
from hiseg.cli.options import ApiKey, Model, Repository, Server, Variant, exit_on, read_settings
from hiseg.cli.run_plan import Plan, check_box_option, is_one, read_boxes
from hiseg.client.request import FrameOptions
from hiseg.core.command_errors import CommandError
from hiseg.core.errors import HisegError
from hiseg.core.extras import ExtraMissing
from hiseg.core.job import DEFAULT_TOLERANCE_PX, MAX_TOLERANCE_PX, Mode, Smoothing
from hiseg.core.start_error import StartError
from hiseg.masks.formats.picture import PictureType
from hiseg.photos.listing import refuse_url

BOXES, MANY = "Boxes", "Many photos"
"""Groups of options that a newcomer needn't read."""


def run(
    photos: Annotated[
        list[str],
        typer.Argument(
            metavar="PHOTO",
            help="a JPEG, PNG or WebP file, or - for standard input; or many: a folder, several files, or '*.jpg'",
        ),
    ],
    box: Annotated[
        list[str] | None,
        typer.Option(
            "--box",
            metavar="X1,Y1,X2,Y2",
            help="corners of a person's box in pixels; once for each person",
            show_default="none",
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="the picture: .png, .jpg or .webp, or - for standard output; for many photos a folder",
            show_default="no picture",
        ),
    ] = None,
    mask_format: Annotated[
        MaskFormat | None,
        typer.Option(
            "--mask-format",
            metavar="NAME",
            help="what -o gets: overlay, cutout (people without their background), label_map (whose each pixel is), "
            "or png (black and white, a file for each person); also how --json writes masks: coco_rle, "
            "coco_rle_uncompressed, polygon, packed, png or cutout. With one of these, many photos get a JSON file "
            "each where it is no picture",
            show_default="overlay, in JSON coco_rle",
        ),
    ] = None,
    json_output: Annotated[
        str | None,
        typer.Option(
            "--json",
            metavar="FILE",
            help="the answer as the service gives it, or - for standard output; for many photos a line each",
            show_default="no answer",
        ),
    ] = None,
    boxes: Annotated[
        Path | None,
        typer.Option(
            "--boxes",
            metavar="FILE",
            help="boxes of many photos: a COCO file, or a JSON object of lists of boxes by the photos' names",
            show_default="those of --box",
            rich_help_panel=BOXES,
        ),
    ] = None,
    category: Annotated[
        list[str] | None,
        typer.Option(
            "--category",
            metavar="NAME",
            help="of a COCO file, the name of a category of people; once for each",
            rich_help_panel=BOXES,
            show_default="person",
        ),
    ] = None,
    box_format: Annotated[
        BoxFormat,
        typer.Option(
            help="what the four numbers are: two corners, a corner and a size, or a centre and a size",
            rich_help_panel=BOXES,
        ),
    ] = BoxFormat.XYXY,
    normalized: Annotated[
        bool,
        typer.Option(
            "--normalized", help="boxes are shares 0..1 of the image's width and height", rich_help_panel=BOXES
        ),
    ] = False,
    mode: Annotated[
        Mode, typer.Option(help="a mask for each box, or one of everybody, which needs no boxes", rich_help_panel=BOXES)
    ] = Mode.INSTANCE,
    threshold: mask_options.Threshold = 0.5,
    smoothing: mask_options.SmoothingOption = Smoothing.NONE,
    dilation_px: mask_options.DilationPx = 0,
    resolve_overlaps: mask_options.ResolveOverlaps = False,
    find: mask_options.Find = False,
    find_threshold: mask_options.FindThreshold = None,
    max_people: mask_options.MaxPeople = None,
    tolerance_px: Annotated[
        float,
        number(
            "how far, in pixels, outlines of polygon may be simplified",
            min=0,
            max=MAX_TOLERANCE_PX,
            panel=mask_options.MASKS,
        ),
    ] = DEFAULT_TOLERANCE_PX,
    output_type: Annotated[
        PictureType | None,
        typer.Option(help="type of pictures for many photos, and for -o -", rich_help_panel=MANY, show_default="png"),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="do photos again that an earlier run has done into the same folder",
            rich_help_panel=MANY,
        ),
    ] = False,
    model: Model = None,
    variant: Variant = None,
    repository: Repository = None,
    server: Server = None,
    api_key: ApiKey = None,
) -> None:
    """Segment a photo, or a folder of them; no server needed.

    hiseg run photo.jpg --box 22,15,365,512 -o out.png

    Without boxes people are found, where a model for that is there.

    hiseg run photos/ --boxes boxes.json -o masks/

    A run of many photos that was interrupted goes on where it was when it is started again.
    """
    options: FrameOptions = {
        "mode": mode.value,
        "box_format": box_format.value,
        "normalized": normalized,
        "threshold": threshold,
        "smoothing": smoothing.value,
        "dilation_px": dilation_px,
        "resolve_overlaps": resolve_overlaps,
        **mask_options.find_options(find, find_threshold, max_people),
    }
    if model is not None:
        options["model"] = model
    if variant is not None:
        options["variant"] = variant
    with exit_on(CommandError, ExtraMissing, HisegError, StartError):
        check_box_option(box or [], photos)
        for photo in photos:
            refuse_url(photo)
        if server is not None and repository is not None:
            raise CommandError("--repository is for models that run here; leave it out with --server")
        read, rows = read_boxes(boxes, box or [], category or [], options)
        plan = Plan(
            photos=photos,
            boxes=read,
            rows=rows,
            output=output,
            json_output=json_output,
            mask_format=mask_format,
            picture=output_type,
            tolerance_px=tolerance_px,
            options=options,
            settings=lambda: read_settings(model_repository=repository),
            server=server,
            api_key=api_key,
            overwrite=overwrite,
        )
        if is_one(photos, output):
            # Neither at the top: a command that is refused shall not wait for what it would have needed.
            from hiseg.cli.run_one import run_one

            run_one(plan)
        else:
            from hiseg.cli.run_many import run_many

            run_many(plan)
