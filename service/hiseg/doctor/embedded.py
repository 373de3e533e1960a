"""Does each model of the repository open in the embedded engine, keep the contract and give the masks it should?"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

from hiseg.core.model_choice import default_model, shared_variants
from hiseg.core.result import ModelRef
from hiseg.doctor.finding import Finding, ok, warning, wrong
from hiseg.doctor.provider import check_loaded
from hiseg.engines.base import Engine, ModelInfo, with_masks
from hiseg.engines.contract import ModelError
from hiseg.models.canary import Canary, CanaryMismatch
from hiseg.models.int8 import INT8_FILE, MODEL_FILE, files_of, open_int8, refusal, why_not_int8
from hiseg.models.repository import NoDefaultVariant, NoModels, StoredModel, find_repository, stored_models
from hiseg.models.self_test import SelfTestFailed, run_self_test
from hiseg.settings import Settings


async def check_embedded(settings: Settings) -> AsyncIterator[Finding]:
    """Check every model of the repository, and that the default model is among them."""
    # Not at the top: who runs models on Triton alone needs no ONNX Runtime.
    from hiseg.engines.onnx import FATAL, OnnxEngine, ort

    ort.set_default_logger_severity(FATAL)  # what can't be loaded is a finding
    try:
        repository = find_repository(settings.model_repository)
        stored = stored_models(repository)
    except NoModels as error:
        yield wrong("models", error.found, error.mend)
        return
    infos: list[ModelInfo] = []
    for model in stored:
        for finding in check_versions(repository / model.name, model):
            yield finding
        try:
            engine = OnnxEngine(model.path, model.name, model.version, settings.threads)
        except ModelError as error:
            yield wrong("contract", str(error), "Export it again with `hiseg-train`, or take it out of the repository.")
            continue
        try:
            infos.append(engine.info)
            for finding in check_loaded(engine.info.ref.name, engine.on_cpu):
                yield finding
            yield check_contract(engine.info)
            yield await check_masks(engine, repository)
        finally:
            engine.close()
        if files_of(model, int8=True) != [model]:
            yield await check_int8(model, settings)
    for finding in check_variants(with_masks(infos), settings.default_variant):
        yield finding


def check_variants(models: Sequence[ModelRef], default_variant: str) -> Iterator[Finding]:
    """Check that the default model is there among those with masks, and that every variant is one model's alone."""
    if default_model(models, default_variant) is None:
        missing = NoDefaultVariant(default_variant, models)
        yield wrong("models", missing.found, missing.mend)
    for sentence in shared_variants(models):
        yield warning("models", sentence, "Ask for models by name, or leave one of each variant.")


def check_versions(folder: Path, served: StoredModel) -> Iterator[Finding]:
    """Check that no newer version of a model lies in its folder unfinished."""
    numbers = sorted((int(path.name) for path in folder.iterdir() if path.name.isdecimal()), reverse=True)
    empty = [number for number in numbers if not (folder / str(number) / "model.onnx").exists()]
    if any(number > int(served.version) for number in empty):
        yield warning(
            "versions",
            f"{folder}: {', '.join(map(str, empty))} has no model.onnx, so version {served.version} is served",
            "Finish copying it (into a folder with another name first, then rename it), or remove it.",
        )
    else:
        yield ok("versions", f"{served.name}: {served.version} is served, of {', '.join(map(str, numbers))}")


def check_contract(info: ModelInfo) -> Finding:
    """Describe a model that keeps the tensor contract; warn if it takes FP32 images, which are four times as large."""
    canvases = ", ".join(f"{height}x{width}" for height, width in info.canvases)
    gives = " and ".join(info.outputs.names)
    described = f"{info.ref.name} version {info.ref.version} keeps it: variant {info.ref.variant}, "
    described += f"{gives}, canvases {canvases}"
    if not info.takes_uint8:
        return warning(
            "contract",
            f"{described}; it takes images as FP32, four times the bytes of UINT8",
            "Export it again with `hiseg-train` for UINT8 images.",
        )
    return ok("contract", described)


async def check_int8(version: StoredModel, settings: Settings) -> Finding:
    """Say which file of a version runs here that has one in INT8, and check that one."""
    name = f"{version.name} version {version.version}"
    if why := why_not_int8(settings.int8):
        return ok("precision", f"{name} runs from {MODEL_FILE}: {why}")
    file, _ = files_of(version, int8=True)
    try:
        (await open_int8(file, settings.threads)).close()
    except Exception as error:  # whatever is wrong with it, there is another one
        return warning(
            "precision", refusal(file, error), "Export it again with `hiseg-train`, or take it out of the repository."
        )
    return ok("precision", f"{name} runs from {INT8_FILE}, which gives the masks that it should")


async def check_masks(engine: Engine, repository: Path) -> Finding:
    """Check, through the same code as any request, that a model gives the masks which it was published with."""
    ref = engine.info.ref
    name = f"{ref.name} version {ref.version}"
    try:
        await run_self_test(engine, repository)
    except (CanaryMismatch, SelfTestFailed) as error:
        return wrong("masks", str(error), "The file was damaged or changed: copy or export this version again.")
    if Canary.load(repository / ref.name / ref.version) is None:
        return warning(
            "masks",
            f"{name} answers, but it has no canary image: nobody can tell whether its masks are right",
            "Publish it with `hiseg-train publish`, which puts one beside it.",
        )
    return ok("masks", f"{name} gives the masks that it was published with")
