"""``hiseg-train predict``: run an exported model on images, draw its masks, and print a timing table."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hiseg_training.cli.errors import cli_errors
from hiseg_training.cli.options import Category, Images, latest_match, people_names, tell

if TYPE_CHECKING:
    from hiseg_training.data.coco import Photo
    from hiseg_training.inference.runner import Runner
    from hiseg_training.inference.save import DrawOptions
    from hiseg_training.inference.timing import Timings


class Provider(StrEnum):
    """Where ONNX Runtime computes."""

    CPU = "cpu"
    CUDA = "cuda"
    TENSORRT = "tensorrt"


CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
PROVIDERS = {Provider.CPU: [CPU], Provider.CUDA: [CUDA, CPU], Provider.TENSORRT: [TENSORRT, CUDA, CPU]}


def predict(
    onnx: Annotated[
        str, typer.Option(help="an exported model, ours or upstream's; a pattern means the newest that matches")
    ],
    annotations: Annotated[
        Path | None,
        typer.Option(
            help="COCO file with the boxes; outlines aren't needed",
            metavar="FILE",
            show_default="this or --image",
        ),
    ] = None,
    images_dir: Images = None,
    category: Category = None,
    image: Annotated[
        Path | None,
        typer.Option(help="a single image instead, with --boxes", metavar="FILE", show_default="this or --annotations"),
    ] = None,
    boxes: Annotated[str, typer.Option(help="of the single image", metavar="X1,Y1,X2,Y2;…", show_default="none")] = "",
    num_images: Annotated[int, typer.Option(min=1, help="the file's first so many images with people")] = 5,
    provider: Annotated[Provider, typer.Option(help="where ONNX Runtime computes")] = Provider.CPU,
    binary_mode: Annotated[bool, typer.Option("--binary-mode", help="everybody as one, in green")] = False,
    alpha: Annotated[float, typer.Option(min=0, max=1, help="how much of a tint covers the image")] = 0.5,
    score_threshold: Annotated[float, typer.Option(min=0, max=1, help="least probability of a person's pixel")] = 0.01,
    save_masks: Annotated[bool, typer.Option("--save-masks", help="write masks and probabilities too")] = False,
    batch_size: Annotated[int, typer.Option(min=1, help="images a run of the model")] = 1,
    output_dir: Annotated[Path, typer.Option(help="for the images that are written")] = Path("test_outputs"),
) -> None:
    """Draw what an exported model says about photos, and say how long it took."""
    from hiseg_training.data.coco import images_beside, read_annotations
    from hiseg_training.inference.runner import open_onnx
    from hiseg_training.inference.save import DrawOptions

    with cli_errors():
        model = latest_match(onnx, "onnx")
        if (annotations is None) == (image is None):
            raise ValueError("name either --annotations or --image")
        if annotations is not None:
            images = images_dir or images_beside(annotations)
            photos = read_annotations(annotations, images, people_names(category), tell)[:num_images]
        else:
            photos = [_single(Path(str(image)), boxes)]
        runner = open_onnx(model, PROVIDERS[provider])
        if runner.images not in (None, batch_size):
            raise ValueError(f"{model} takes exactly {runner.images} images a run, not {batch_size}")
        if not (runner.has_masks or binary_mode):
            raise ValueError(f"{model} gives the foreground alone; ask for that by --binary-mode")
        options = DrawOptions(binary_mode, alpha, score_threshold, save_masks)
        output_dir.mkdir(parents=True, exist_ok=True)
        timings = run(photos, runner, batch_size, options, output_dir, warm_rois=provider is not Provider.CPU)
    people = sum(len(photo.people) for photo in photos)
    typer.echo(f"{model.name} on {provider.value}: {len(photos)} images, {people} people, {batch_size} images a batch")
    typer.echo(timings.table())
    typer.echo(f"wrote {output_dir}")


def run(
    photos: Sequence[Photo], runner: Runner, size: int, options: DrawOptions, folder: Path, warm_rois: bool = False
) -> Timings:
    """Run the model on photos and write a drawing of each; each input shape is run once before it is timed.

    Args:
        photos: with the boxes to ask about.
        runner: the model.
        size: photos a batch, at most.
        options: what is drawn.
        folder: where drawings are written.
        warm_rois: whether another number of RoIs counts as another shape, as GPUs prepare kernels for each.

    Returns:
        How long reading, the model and drawing took, batch by batch.
    """
    from tqdm import tqdm

    from hiseg_training.inference.batches import load_batches, split_predictions
    from hiseg_training.inference.save import save
    from hiseg_training.inference.timing import Timings

    timings, warm = Timings(), set()
    boxes = [[person.box for person in photo.people] if runner.has_masks else [] for photo in photos]
    progress = tqdm(total=len(photos), desc="predict", mininterval=1)
    for batch in timings.time_each("read", load_batches(photos, boxes, runner, size)):
        shape = (batch.images.shape, len(batch.rois) if warm_rois else 0)
        if shape not in warm:
            runner.predict(batch.images, batch.rois)
            warm.add(shape)
        with timings.time("model"):
            masks, foreground = runner.predict(batch.images, batch.rois)
        with timings.time("draw"):
            for prediction in split_predictions(batch, boxes, runner.crop_scale, masks, foreground):
                save(prediction, photos[prediction.index].path.stem, options, folder)
        timings.images += len(batch.indices)
        progress.update(len(batch.indices))
    progress.close()
    return timings


def _single(path: Path, boxes: str) -> Photo:
    """Return an image file with the people in ``x1,y1,x2,y2;…``, in pixels."""
    from hiseg.api.boxes import parse_boxes, to_boxes
    from hiseg_training.data.coco import Photo
    from hiseg_training.data.image_files import shown_size
    from hiseg_training.data.person import Person

    size = shown_size(path)
    if size is None:
        raise FileNotFoundError(f"cannot read {path}")
    width, height = size
    found = [box.clipped(width, height) for box in to_boxes(parse_boxes(boxes), width, height)]
    people = tuple(Person(box, box.area, None) for box in found if not box.is_empty)
    return Photo(path, width, height, path.stem, False, people)
