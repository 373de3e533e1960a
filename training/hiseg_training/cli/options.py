"""Options that several commands share, and what they mean without PyTorch: checkpoints by pattern, folders, values."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from hiseg.cli.numbers import number, whole_number
from hiseg.core.coco_file import PERSON


def data_folder() -> Path:
    """Return the folder of the data set; see :func:`hiseg_training.data.coco.data_root`."""
    from hiseg_training.data.coco import data_root

    return data_root()


OF_CONFIGURATION = "the configuration's"
Config = Annotated[
    str | None,
    typer.Option(
        help="a name that `configs` lists, or its alias", metavar="NAME", show_default="none; that of a resumed run"
    ),
]
TrainAnnotations = Annotated[
    list[Path] | None,
    typer.Option(help="COCO file of people; repeatable", metavar="FILE", show_default="the split train of HISEG_DATA"),
]
TrainImages = Annotated[
    list[Path] | None,
    typer.Option(
        help="folder of its images; once for each --train-ann, or never",
        metavar="FOLDER",
        show_default="images/... beside annotations/",
    ),
]
ValAnnotations = Annotated[
    Path | None, typer.Option(help="COCO file of people", metavar="FILE", show_default="the split val of HISEG_DATA")
]
Images = Annotated[
    Path | None,
    typer.Option(help="folder of its images", metavar="FOLDER", show_default="images/... beside annotations/"),
]
Category = Annotated[
    list[str] | None,
    typer.Option(help="name of a category that is people; repeatable", metavar="NAME", show_default="person"),
]
Epochs = Annotated[
    int | None,
    whole_number("passes over the photos; also when a run is resumed", show_default=OF_CONFIGURATION),
]
BatchSize = Annotated[
    int | None, whole_number("canvases a step, of all processes together", show_default=OF_CONFIGURATION)
]
LearningRate = Annotated[float | None, number("at its peak", show_default=OF_CONFIGURATION)]
Checkpoint = Annotated[
    str | None,
    typer.Option(
        help="weights to start from; a pattern means the newest that matches",
        metavar="FILE",
        show_default="none; new weights",
    ),
]
Resume = Annotated[
    str | None,
    typer.Option(
        help="checkpoint of an interrupted run; a pattern means the newest", metavar="FILE", show_default="a new run"
    ),
]
Set = Annotated[
    list[str],
    typer.Option(
        help="any value of the configuration: schedule.clip=1", metavar="KEY=VALUE", show_default=OF_CONFIGURATION
    ),
]
Output = Annotated[Path, typer.Option(help="folder of experiments; each run makes one in it", metavar="FOLDER")]
Rest = Annotated[list[str] | None, typer.Argument(hidden=True, help="what a shell has made of a pattern")]
Data = Annotated[
    Path,
    typer.Option(
        default_factory=data_folder,
        help="folder with annotations/ and images/, where no COCO file is named",
        metavar="FOLDER",
        show_default="HISEG_DATA, or data/person_seg",
    ),
]
ProvenanceFile = Annotated[
    Path | None,
    typer.Option(
        "--provenance",
        exists=True,
        dir_okay=False,
        help="TOML file: what it learnt from, on what terms",
        show_default="none",
    ),
]


def people_names(category: Sequence[str] | None) -> tuple[str, ...]:
    """Return the names of the categories that are people: those of ``--category``, else person."""
    return tuple(category or (PERSON,))


def tell(line: str) -> None:
    """Show a line about annotations that were read to the user; results alone go to standard output."""
    typer.echo(line, err=True)


def latest_match(pattern: str, flag: str, rest: Sequence[str] | None = None) -> Path:
    """Return the most recently modified file that a pattern matches, and print which one unless it is the pattern.

    Args:
        pattern: a path, or a glob pattern.
        flag: name of the option, for messages.
        rest: further files, where the shell has expanded the pattern.

    Raises:
        FileNotFoundError: no file matches.
    """
    found = [
        Path(path) for one in (pattern, *(rest or ())) for path in ([one] if Path(one).exists() else glob.glob(one))
    ]
    if not found:
        raise FileNotFoundError(f"{flag}: no file matches {pattern}")
    path = max(found, key=lambda file: (file.stat().st_mtime, file.name))
    if len(found) > 1 or str(path) != pattern:
        typer.echo(f"{flag}: {path}, the newest of {len(found)}")
    return path


def expand_patterns(patterns: Sequence[str], field: str) -> list[Path]:
    """Return the files that paths and glob patterns match, in order and without repetition.

    Args:
        patterns: paths and glob patterns.
        field: name of the argument, for messages.

    Raises:
        FileNotFoundError: a pattern matches no file.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        paths = [pattern] if Path(pattern).is_file() else sorted(glob.glob(pattern, recursive=True))
        if not paths:
            raise FileNotFoundError(f"{field}: {pattern} is no file, and no pattern of any")
        found |= dict.fromkeys(map(Path, paths))
    return list(found)


def common_values(
    train_ann: Sequence[Path] | None,
    val_ann: Path | None,
    train_images: Sequence[Path] | None,
    val_images: Path | None,
    epochs: int | None,
    batch_size: int | None,
    learning_rate: float | None,
    category: Sequence[str] | None,
) -> dict[str, Any]:
    """Return the values of the options that all three stages have, by dotted key; None means not given."""
    return {
        "data.train_ann": list(map(str, train_ann)) if train_ann else None,
        "data.val_ann": val_ann,
        "data.train_images": list(map(str, train_images)) if train_images else None,
        "data.val_images": val_images,
        "data.categories": list(category) if category else None,
        "schedule.epochs": epochs,
        "schedule.batch_size": batch_size,
        "schedule.learning_rate": learning_rate,
    }


def run_folder(output: Path, name: str, resume: Path | None) -> Path:
    """Return the folder of a run's files: that of the resumed run, else a new ``name``, ``name_2`` and so on."""
    if resume is not None and resume.parent.name == "checkpoints":
        return resume.parent.parent
    number = 1
    while (folder := output / (name if number == 1 else f"{name}_{number}")).exists():
        number += 1
    return folder
