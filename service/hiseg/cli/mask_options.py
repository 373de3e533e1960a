"""Options that ``hiseg run`` and ``hiseg video`` share: how masks are made of the model's answer."""

from __future__ import annotations

from typing import Annotated

import typer

from hiseg.cli.numbers import number, whole_number
from hiseg.core.job import MAX_DILATION_PX, Smoothing

MASKS = "Masks"
"""The group of options in ``--help``."""
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
