"""Options that commands share: how masks are made of the model's answer, and how people are found."""

from __future__ import annotations

from typing import Annotated

import typer

from hiseg.cli.numbers import number, whole_number
from hiseg.client.request import FrameOptions
from hiseg.core.job import MAX_DILATION_PX, Smoothing

MASKS, FINDING = "Masks", "Finding people"
"""Groups of options in ``--help``."""
Threshold = Annotated[
    float,
    number("probability above which a pixel belongs to a mask", min=0, max=1, without_ends=True, panel=MASKS),
]
SmoothingOption = Annotated[
    Smoothing,
    typer.Option(
        "--smoothing",
        help="edge evens out ragged outlines, bilateral removes noise and keeps outlines sharp",
        rich_help_panel=MASKS,
    ),
]
DilationPx = Annotated[
    int,
    whole_number("image pixels by which masks grow, beyond their boxes too", min=0, max=MAX_DILATION_PX, panel=MASKS),
]
ResolveOverlaps = Annotated[
    bool,
    typer.Option(
        "--resolve-overlaps",
        help="give a pixel that several masks claim to the most probable person alone",
        rich_help_panel=MASKS,
    ),
]
Find = Annotated[
    bool,
    typer.Option(
        "--find", help="find people beside those of the boxes, too; without boxes it is so", rich_help_panel=FINDING
    ),
]
FindThreshold = Annotated[
    float | None,
    number(
        "how sure it must be that somebody is there",
        min=0,
        max=1,
        show_default="as the settings say",
        panel=FINDING,
    ),
]
MaxPeople = Annotated[
    int | None,
    whole_number(
        "most people that are found, the surest",
        min=1,
        max=1_000_000,
        show_default="as many as boxes are taken",
        panel=FINDING,
    ),
]


def find_options(find: bool, threshold: float | None, max_people: int | None) -> FrameOptions:
    """The options of finding that are given, by the service's names."""
    given: FrameOptions = {}
    if find:
        given["find"] = True
    if threshold is not None:
        given["find_threshold"] = threshold
    if max_people is not None:
        given["max_people"] = max_people
    return given
