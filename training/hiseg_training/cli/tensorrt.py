"""``hiseg-train tensorrt`` (experimental: the plans have never been built, for want of a GPU)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from hiseg.cli.numbers import whole_number
from hiseg_training.cli.errors import cli_errors


def tensorrt(
    name: Annotated[str, typer.Argument(help="of a model in the repository, e.g. hiseg_b0")],
    repository: Annotated[Path, typer.Option(help="folder of name/version/model.onnx", metavar="FOLDER")] = Path(
        "model_repository"
    ),
    people: Annotated[int, whole_number("most people in a batch", min=1)] = 64,
    images: Annotated[int, whole_number("most images in a batch", min=1)] = 16,
    full: Annotated[bool, typer.Option("--full-precision", help="FP32 throughout, rather than FP16")] = False,
) -> None:
    """Experimental: write Triton's configuration of TensorRT plans and the script that builds them on a GPU."""
    import onnx

    from hiseg.models.repository import stored_versions
    from hiseg_training.export.onnx import read_metadata
    from hiseg_training.export.tensorrt.plan import FOLDER_END, Profile, build_script
    from hiseg_training.export.tensorrt.support import problems
    from hiseg_training.export.triton import CONFIGURATION, plan_configuration
    from hiseg_training.inference.runner import open_onnx

    with cli_errors():
        profile = Profile(images, people, half=not full)
        stored = stored_versions(repository).get(name)
        if not stored:
            raise FileNotFoundError(f"no version of {name} in {repository}")
        open_onnx(stored[0].path, ["CPUExecutionProvider"])  # which says what is wrong with it
        if found := problems(onnx.load(stored[0].path)):
            why = f"{stored[0].path}: TensorRT can't build it: {'; '.join(found)}"
            raise ValueError(f"{why}; files of `export --dtype float32` don't cut their canvases")
        canvases = tuple((height, width) for height, width in json.loads(read_metadata(stored[0].path)["canvases"]))
        folder = repository / (name + FOLDER_END)
        folder.mkdir(exist_ok=True)
        (folder / CONFIGURATION).write_text(plan_configuration(folder.name, stored[0].path, len(canvases)))
        (folder / "build.sh").write_text(build_script(name, canvases, profile))
    typer.echo(f"wrote {folder / CONFIGURATION} and {folder / 'build.sh'}; the script says how to run it")
    typer.echo(
        f"hiseg before them: HISEG_MAX_BOXES={people} HISEG_MAX_BATCH_BOXES={people} HISEG_MAX_BATCH_IMAGES={images}"
    )
