"""Which file of a version the embedded engine runs: ``model.onnx``, or the ``model.int8.onnx`` beside it.

INT8 is faster where the processor has instructions for it. Who opens a version asks here, so that the service, its
commands, sessions and the doctor run the same file. A file in INT8 never keeps a version from being served: where it
isn't the same model, or doesn't pass its test, ``model.onnx`` runs, and the log says why.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hiseg.core.engine_settings import Int8
from hiseg.core.errors import shorten
from hiseg.engines.contract import ModelError, describe
from hiseg.engines.metadata import one_line
from hiseg.engines.onnx_file import skim_signature
from hiseg.engines.processor import int8_instructions
from hiseg.models.repository import StoredModel, stamp_of

if TYPE_CHECKING:
    from hiseg.engines.onnx import OnnxEngine

MODEL_FILE, INT8_FILE = "model.onnx", "model.int8.onnx"
MAY_DIFFER = ("ref", "cost_prior", "card")
"""What two files of one version may describe differently."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OpenVersion:
    """A version that is open.

    Attributes:
        engine: runs the file.
        file: the file.
        refused: the file in INT8 that was to run in its place and can't be used; None: there is none.
    """

    engine: OnnxEngine
    file: StoredModel
    refused: StoredModel | None = None


def why_not_int8(setting: Int8) -> str | None:
    """Why files in INT8 aren't run here, as the end of a sentence; None: they are.

    Args:
        setting: the setting ``int8``.
    """
    if setting is not Int8.AUTO:
        return None if setting is Int8.ALWAYS else "the setting int8 is never"
    if not int8_instructions():
        return "this processor has no instructions for INT8"
    # Not at the top: who runs models on Triton alone needs no ONNX Runtime.
    from hiseg.engines.onnx import fast_providers

    fast = fast_providers()
    return f"this ONNX Runtime is built for {', '.join(fast)}, which runs FP32 faster" if fast else None


def files_of(version: StoredModel, int8: bool) -> list[StoredModel]:
    """The files of a version, the one to run first; the others are for where that can't be used.

    Args:
        version: the version, with its ``model.onnx``.
        int8: whether files in INT8 are run here; see :func:`why_not_int8`.
    """
    path = version.path.with_name(INT8_FILE)
    stamp = None
    with suppress(OSError):  # a link in a circle is no file either
        stamp = stamp_of(path) if int8 else None
    return [version] if stamp is None else [replace(version, path=path, stamp=stamp + version.stamp), version]


def is_int8(file: StoredModel) -> bool:
    """Whether a file of a version is the one in INT8."""
    return file.path.name == INT8_FILE


async def open_version(
    version: StoredModel, setting: Int8, threads: int = 0, *, shares_later: bool = False
) -> OpenVersion:
    """Open the file of a version that is to run here; a file in INT8 is tested first.

    Args:
        version: the version, with its ``model.onnx``.
        setting: the setting ``int8``.
        threads, shares_later: as for :class:`OnnxEngine`.

    Raises:
        ModelError: ``model.onnx`` can't be opened, or doesn't keep the tensor contract.
    """
    # Not at the top: who runs models on Triton alone needs no ONNX Runtime.
    from hiseg.engines.onnx import OnnxEngine

    *preferred, last = await asyncio.to_thread(files_of, version, why_not_int8(setting) is None)
    for file in preferred:
        try:
            return OpenVersion(await open_int8(file, threads, shares_later=shares_later), file)
        except Exception as error:  # whatever is wrong with it, there is another one
            log.warning("%s", refusal(file, error))

    def opening() -> OnnxEngine:
        return OnnxEngine(last.path, last.name, last.version, threads, shares_later=shares_later)

    return OpenVersion(await asyncio.to_thread(opening), last, preferred[0] if preferred else None)


async def open_int8(file: StoredModel, threads: int = 0, *, shares_later: bool = False) -> OnnxEngine:
    """Open a file in INT8, if it is the same model as the ``model.onnx`` beside it, and passes its self-test.

    Raises:
        ModelError: it can't be opened, or is another model.
        Exception: what :func:`run_self_test` raises.
    """
    # Not at the top: running a model takes the whole segmenter, which listing models doesn't.
    from hiseg.engines.onnx import OnnxEngine
    from hiseg.models.self_test import run_self_test

    def opening() -> OnnxEngine:
        check_same_model(file)
        return OnnxEngine(file.path, file.name, file.version, threads, shares_later=shares_later)

    engine = await asyncio.to_thread(opening)
    try:
        await run_self_test(engine, file.path.parents[2])
    except BaseException:
        engine.close()
        raise
    return engine


def refusal(file: StoredModel, error: Exception) -> str:
    """What the log says of a file in INT8 that isn't used."""
    why = one_line(error) or type(error).__name__
    return f"Version {file.version} of {file.name} runs from {MODEL_FILE}, since {INT8_FILE} can't be used: {why}"


def check_same_model(file: StoredModel) -> None:
    """Check that a file in INT8 says of itself what the ``model.onnx`` beside it says.

    Raises:
        ModelError: it doesn't, or one of the two can't be read.
    """
    here, there = (_described(path, file) for path in (file.path, file.path.with_name(MODEL_FILE)))
    differing = [name for name in here if here[name] != there[name]]
    if differing:
        name = differing[0]
        own, other = (shorten(str(each[name])) for each in (here, there))
        raise ModelError(f"it is another model, with {name.replace('_', ' ')} {own} where {MODEL_FILE} has {other}")


def _described(path: Path, file: StoredModel) -> dict[str, Any]:
    """What must be equal in both files of a version, by name."""
    try:
        signature = skim_signature(path)
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: {error}") from error
    info, _ = describe(signature, file.name, file.version, "onnx")
    said = {name: getattr(info, name) for name in (each.name for each in fields(info)) if name not in MAY_DIFFER}
    inputs = []
    for name, shape in sorted(signature.inputs.items()):
        sides = " x ".join(str(side) if isinstance(side, int) else "?" for side in shape)
        inputs.append(f"{name} {signature.types[name]} {sides}")
    outputs = ", ".join(sorted(signature.outputs))
    return {"variant": info.ref.variant, **said, "inputs": ", ".join(inputs), "outputs": outputs}
