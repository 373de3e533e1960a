"""``hiseg-train data``: build the annotation files that training reads, and print statistics of one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from hiseg.cli.numbers import whole_number
from hiseg_training.cli.errors import cli_errors
from hiseg_training.cli.options import Category, people_names, tell

data = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Build person-only annotation files, and count what is in them."
)
ImagesDir = Annotated[
    Path | None,
    typer.Option(
        help="folder of the images, where the file lacks their sizes",
        metavar="FOLDER",
        show_default="images/... beside annotations/",
    ),
]
Annotations = Annotated[
    Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="a COCO file with outlines")
]


@data.command()
def build(
    annotations: Annotated[
        list[Path], typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="plain COCO files")
    ],
    output_dir: Annotated[
        Path | None, typer.Option(help="where to write", metavar="FOLDER", show_default="beside each file")
    ] = None,
    seed: Annotated[int, whole_number("of the subsets", min=0)] = 0,
    images_dir: ImagesDir = None,
    category: Category = None,
) -> None:
    """Keep persons, leave out images with crowds, and make subsets of 100 and 500 images."""
    from hiseg_training.data.build import build as build_files
    from hiseg_training.data.coco import images_for_sizes

    with cli_errors():
        for path in annotations:
            images = images_dir or images_for_sizes(path)
            names = people_names(category)
            for written in build_files(
                path, output_dir or path.parent, seed, images=images, categories=names, tell=tell
            ):
                typer.echo(f"wrote {written}")


@data.command()
def stats(
    annotations: Annotations,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="JSON file to write them to as well", metavar="FILE", show_default="not written"
        ),
    ] = None,
    images_dir: ImagesDir = None,
    category: Category = None,
) -> None:
    """Class shares in RoIs, overlaps, sizes, and the class weights that follow."""
    from hiseg_training.data.coco import images_for_sizes, read_people, with_outlines
    from hiseg_training.data.statistics import statistics, statistics_table

    with cli_errors():
        photos = read_people(annotations, images_dir or images_for_sizes(annotations), people_names(category), tell)
        found = statistics(with_outlines(photos, annotations, tell))
        if output is not None:
            output.write_text(json.dumps(found, indent=2) + "\n")
    typer.echo(statistics_table(found))
    if output is not None:
        typer.echo(f"wrote {output}")
