"""``hiseg``: serve, try on one photo, list the models, check a file."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from hiseg.access.key_store import NAME, KeysUnusable, new_key
from hiseg.api.answer import to_json
from hiseg.api.boxes import parse_boxes, to_boxes
from hiseg.api.encoding import MaskFormat, to_png
from hiseg.app import models_running, new_segmenter, serve
from hiseg.cli import options
from hiseg.cli.bench import bench
from hiseg.cli.check import check
from hiseg.cli.doctor import doctor
from hiseg.cli.video import video
from hiseg.core.errors import HisegError
from hiseg.core.image import ImageSource
from hiseg.core.job import Job, Mode, PostProcessing, Smoothing
from hiseg.core.result import Result
from hiseg.engines.contract import ModelError
from hiseg.engines.onnx import OnnxEngine
from hiseg.lifecycle import ListenError
from hiseg.masks.formats.polygon import DEFAULT_TOLERANCE_PX, MOST_TOLERANCE_PX
from hiseg.models.canary import CanaryMismatch
from hiseg.models.loader import ExtraMissing
from hiseg.models.repository import stored_models
from hiseg.models.self_test import SelfTestFailed
from hiseg.observability.metrics import Metrics
from hiseg.settings import Fallback, Settings

app = typer.Typer(no_args_is_help=True, add_completion=False, help="One mask per person.")
SERVICE_ERRORS = (
    FileNotFoundError,
    ModelError,
    CanaryMismatch,
    SelfTestFailed,
    ListenError,
    ExtraMissing,
    KeysUnusable,
    HisegError,
)
Repository = Annotated[Path | None, typer.Option("--repository", help="folder of name/version/model.onnx")]


def _settings(**given: object) -> Settings:
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        raise typer.BadParameter(str(error)) from error


@app.command("serve")
def serve_command(
    host: Annotated[str | None, typer.Option(help="address to listen on")] = None,
    port: Annotated[int | None, typer.Option(help="HTTP port; 0 takes a free one")] = None,
    grpc_port: Annotated[int | None, typer.Option(help="gRPC port; 0 takes a free one")] = None,
    repository: Repository = None,
    engine: Annotated[str | None, typer.Option(help="onnx (embedded), or triton://host:port,host:port")] = None,
    fallback: Annotated[Fallback | None, typer.Option(help="what serves while no Triton answers")] = None,
) -> None:
    """Run the service. Every other knob is a HISEG_* variable or a line in hiseg.toml."""
    try:
        given = {"host": host, "port": port, "grpc_port": grpc_port, "model_repository": repository}
        serve(_settings(**given, engine=engine, fallback=fallback))
    except SERVICE_ERRORS as error:
        raise _failure(error) from error


@app.command()
def run(
    photo: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="JPEG, PNG or WebP")],
    box: Annotated[list[str] | None, typer.Option(help="x1,y1,x2,y2 in pixels; once per person")] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="PNG: the masks drawn on the picture, or the label map or cut-out"),
    ] = None,
    json_output: Annotated[Path | None, typer.Option("--json", help="the answer as the service would give it")] = None,
    variant: Annotated[str | None, typer.Option(help="b0, b1 or b7")] = None,
    mask_format: Annotated[
        MaskFormat, typer.Option(help="how --json writes masks; label_map and cutout also say what -o is")
    ] = MaskFormat.COCO_RLE,
    tolerance_px: Annotated[
        float, typer.Option(help="how far polygons may be simplified", min=0, max=MOST_TOLERANCE_PX)
    ] = DEFAULT_TOLERANCE_PX,
    mode: Annotated[Mode, typer.Option(help="a mask per box, or everybody at once")] = Mode.INSTANCE,
    threshold: options.Threshold = 0.5,
    smoothing: options.SmoothingOption = Smoothing.NONE,
    dilation_px: options.DilationPx = 0,
    resolve_overlaps: options.ResolveOverlaps = False,
    repository: Repository = None,
) -> None:
    """Segment one photo; no server needed."""
    settings = _settings(model_repository=repository)
    finish = PostProcessing(smoothing, threshold, dilation_px, resolve_overlaps)

    def write(picture: ImageSource, result: Result) -> None:
        if output:
            own = mask_format in (MaskFormat.LABEL_MAP, MaskFormat.CUTOUT)
            output.write_bytes(to_png(picture, result, mask_format if own else MaskFormat.OVERLAY))
        if json_output:
            form = MaskFormat.COCO_RLE if mask_format.is_image else mask_format
            answer = to_json(picture, result, form, tolerance_px)
            json_output.write_text(answer.model_dump_json(indent=2, exclude_none=True) + "\n")

    async def segment() -> Result:
        rows = parse_boxes(";".join(box or []))
        with ThreadPoolExecutor(1) as workers:
            segmenter = new_segmenter(settings, workers)
            picture = segmenter.inspect(photo.read_bytes())
            boxes = to_boxes(rows, picture.width, picture.height)
            async with models_running(segmenter, settings, Metrics()):
                model = segmenter.model_for(variant or settings.default_variant).ref.name
                with segmenter.admission.reserve() as place:
                    job = Job(picture, boxes, model, mode, finish)
                    return (await segmenter.segment(job, place, lambda result: write(picture, result)))[0]

    try:
        result = asyncio.run(segment())
    except SERVICE_ERRORS as error:
        raise _failure(error) from error
    for instance in (*result.instances, *([result.foreground] if result.foreground else [])):
        corners = ", ".join(f"{v:g}" for v in instance.box.as_tuple())
        typer.echo(f"box {corners}: {instance.area} pixels, score {instance.score:.2f}")
    typer.echo("  ".join(f"{stage} {ms:.1f} ms" for stage, ms in result.timings_ms.items()))


models_app = typer.Typer(invoke_without_command=True)
app.add_typer(models_app, name="models")
models_app.command("check")(check)


@models_app.callback()
def models(context: typer.Context, repository: Repository = None) -> None:
    """List the models of the repository: what they are, how large, how good; or check a file."""
    if context.invoked_subcommand:
        return
    try:
        stored = stored_models(_settings(model_repository=repository).model_repository)
        # One thread: nothing is run, so no session for a second batch needs to be opened.
        infos = [OnnxEngine(model.path, model.name, model.version, threads=1).info for model in stored]
    except (FileNotFoundError, ModelError) as error:
        raise _failure(error) from error
    for info in infos:
        card: dict[str, Any] = info.card
        size = f"{card['bytes'] / 1e6:.1f} MB"
        mask = "x".join(str(side) for side in info.mask_size)
        typer.echo(f"{info.ref.name}  version {info.ref.version}  variant {info.ref.variant}  mask {mask}  {size}")
        typer.echo("  canvases: " + ", ".join(f"{height}x{width}" for height, width in info.canvases))
        for key in ("licence", "training_data", "metrics"):
            if key in card:
                typer.echo(f"  {key}: {card[key]}")


@app.command()
def key(
    name: Annotated[str, typer.Argument(help="whose it is, for logs: letters, digits, dots and dashes")],
) -> None:
    """Make an API key: the key is for its owner alone, the line for the file that HISEG_API_KEYS_FILE names."""
    if not NAME.fullmatch(name):
        raise typer.BadParameter(f"{name!r} is not 1 to 40 letters, digits, dots and dashes")
    secret, stored = new_key()
    typer.echo(f"key:  {secret}\nline: {name} {stored}")


app.command("bench")(bench)
app.command("video")(video)
app.command("doctor")(doctor)


def _failure(error: Exception) -> typer.Exit:
    typer.echo(f"hiseg: {error}", err=True)
    return typer.Exit(1)
