"""``hiseg-train validate``: compare checkpoints and exported models on a data set, in JSON, a table and images."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hiseg_training.cli.errors import cli_errors
from hiseg_training.cli.options import Category, ValAnnotations, expand_patterns, people_names, tell

if TYPE_CHECKING:
    from hiseg_training.data.coco import Photo
    from hiseg_training.evaluation.scores import PhotoScore
    from hiseg_training.inference.runner import Runner

TRUE_BOXES = "ground truth boxes"


def validate(
    checkpoints: Annotated[list[str], typer.Argument(help="checkpoints and .onnx files, or patterns in quotes")],
    val_ann: ValAnnotations = None,
    images_dir: Annotated[
        Path | None,
        typer.Option(
            "--val-images",
            "--images-dir",
            help="folder of its images",
            metavar="FOLDER",
            show_default="images/... beside annotations/",
        ),
    ] = None,
    category: Category = None,
    batch_size: Annotated[int, typer.Option(min=1, help="images a run of the model")] = 16,
    jitter: Annotated[float, typer.Option(min=0, max=0.5, help="loose boxes: share of a side; 0: none")] = 0.1,
    multiple: Annotated[bool, typer.Option("--multiple", help="several are taken in any case")] = False,
    visualize: Annotated[
        bool, typer.Option("--visualize", help="draw images, those with the lowest IoU first")
    ] = False,
    num_visualize: Annotated[int, typer.Option(min=1, help="images a model")] = 20,
    photo: Annotated[
        list[str] | None,
        typer.Option(
            help="draw this photo (file name) instead; repeatable", metavar="NAME", show_default="none in particular"
        ),
    ] = None,
    output_dir: Annotated[Path, typer.Option(help="for validation.json, validation.md and images")] = Path(
        "validation_results"
    ),
) -> None:
    """IoU, detection rates, boundary IoU, AP and foreground, by kind of case, with true and with loose boxes."""
    from hiseg_training.data.coco import data_root, images_beside, read_annotations, with_outlines
    from hiseg_training.evaluation.scores import score_photos
    from hiseg_training.evaluation.summary import markdown, summary
    from hiseg_training.inference.runner import open_runner

    with cli_errors():
        paths = expand_patterns(checkpoints, "checkpoints")
        annotations = val_ann or data_root() / "annotations" / "instances_val_person_only_no_crowd.json"
        images = images_dir or images_beside(annotations)
        photos = with_outlines(read_annotations(annotations, images, people_names(category), tell), annotations, tell)
        output_dir.mkdir(parents=True, exist_ok=True)
        reports: dict[str, dict[str, Any]] = {}
        for name, path in short_names(paths).items():
            runner = open_runner(path)
            size = runner.images or batch_size
            scores = score_photos(photos, runner, batch=size)
            reports[name] = {TRUE_BOXES: summary(photos, scores)}
            if jitter:
                loose = summary(photos, score_photos(photos, runner, jitter, size))
                # Boxes don't change it.
                loose.pop("foreground", None)
                reports[name][f"boxes jittered by {jitter:.0%}"] = loose
            if visualize or photo:
                chosen = _choose(photos, scores, photo or [], num_visualize)
                _draw([photos[index] for index in chosen], runner, output_dir / name)
    about = {
        "annotations": str(annotations),
        "images": len(photos),
        "checkpoints": {n: str(p) for n, p in short_names(paths).items()},
    }
    (output_dir / "validation.json").write_text(json.dumps(about | {"models": reports}, indent=2) + "\n")
    table = markdown(reports)
    (output_dir / "validation.md").write_text(f"# {annotations.name}: {len(photos)} images\n\n{table}")
    typer.echo(table)
    typer.echo(f"wrote {output_dir}")


def short_names(paths: Sequence[Path]) -> dict[str, Path]:
    """Map a short unique name to each file: its stem, preceded by as many folders as it takes to tell them apart."""
    for depth in range(1, max(len(path.parts) for path in paths) + 1):
        names = ["-".join(part for part in path.with_suffix("").parts[-depth:] if part != "/") for path in paths]
        if len(set(names)) == len(paths):
            return dict(zip(names, paths, strict=True))
    return {str(path).replace("/", "-"): path for path in paths}


def _choose(photos: Sequence[Photo], scores: Sequence[PhotoScore], names: Sequence[str], most: int) -> list[int]:
    """Return the indices of the named photos; without names those of the ``most`` photos with the lowest mean IoU."""
    if not names:
        return sorted(range(len(photos)), key=lambda index: scores[index].mean)[:most]
    by_name = {each.path.name: index for index, each in enumerate(photos)}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise ValueError(f"the annotations know no {', '.join(unknown)}")
    return [by_name[name] for name in names]


def _draw(photos: Sequence[Photo], runner: Runner, folder: Path) -> None:
    """Write a comparison of truth and prediction for each photo, numbered in their order."""
    import cv2

    from hiseg_training.evaluation.comparison import comparison_sheet
    from hiseg_training.evaluation.scores import jittered_boxes, score_photo
    from hiseg_training.inference.batches import predict_photos

    folder.mkdir(parents=True, exist_ok=True)
    for prediction in predict_photos(photos, jittered_boxes(photos, 0.0), runner, runner.images or 1):
        photo = photos[prediction.index]
        page = comparison_sheet(photo, prediction, score_photo(photo, prediction))
        cv2.imwrite(str(folder / f"{prediction.index + 1:03d}_{photo.path.stem}.png"), page[:, :, ::-1])
