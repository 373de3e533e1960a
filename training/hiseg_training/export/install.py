"""Installs a finished version into a model repository while services and Triton read from it.

A version appears complete, by one rename. Before that, the files that all versions of the model share are replaced,
each by a rename. At any moment, and after a crash at any moment, readers find complete versions and a configuration
that fits them: all versions of a model keep one contract.
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from hiseg.core.canvas import Resize
from hiseg.core.image import Size
from hiseg.core.model_choice import shared_variants
from hiseg.core.result import ModelRef
from hiseg.engines.base import Outputs
from hiseg.engines.contract import ModelError, outputs_of
from hiseg.engines.onnx import OnnxEngine
from hiseg.models.repository import stored_versions
from hiseg_training.config.model import ModelConfig
from hiseg_training.export.graphs import TENSORS
from hiseg_training.export.onnx import ExportOptions
from hiseg_training.export.triton import configurations

FOR_READERS = ("MODEL_CARD.md", "metrics.json")
"""Files for people: in each version's folder, and in the model's folder those of the newest version."""


NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
"""Names of models: they are folders, parts of URLs, and words of Triton's configuration."""


class InstallError(Exception):
    """The version cannot be installed; the message says why, and what to do."""


class Contract(NamedTuple):
    """What all versions of a model share: Triton has one configuration for them, and callers know one variant.

    Attributes:
        canvases: (height, width) of those that the model declares.
        resize: how images are brought to a canvas.
        mask_size: (height, width) of a mask.
        crop_scale: side of the region that a mask covers, as a multiple of the box's side.
        takes_uint8: whether images are uint8 0..255, and not float32 0..1.
        variant: of the model.
        outputs: what it computes.
    """

    canvases: tuple[Size, ...]
    resize: Resize
    mask_size: Size
    crop_scale: float
    takes_uint8: bool
    variant: str
    outputs: Outputs


def contract_to_be(config: ModelConfig, form: ExportOptions) -> Contract:
    """Return the contract of the file that a model is going to be exported as."""
    masks = (config.mask_size, config.context) if form.graph.has_masks else ((0, 0), 1.0)
    outputs = outputs_of(TENSORS[form.graph].outputs)
    return Contract(form.canvases, Resize.LETTERBOX, *masks, form.dtype == "uint8", config.variant, outputs)


def contract_of(path: Path, name: str) -> Contract:
    """Return the contract of an exported file of a model with a name.

    Raises:
        ModelError: the file can't be opened, or breaks the tensor contract.
    """
    engine = OnnxEngine(path, name, "0", threads=1)
    engine.close()
    info = engine.info
    masks = info.mask_size, info.crop_scale
    return Contract(info.canvases, info.resize, *masks, info.takes_uint8, info.ref.variant, info.outputs)


def next_version(repository: Path, name: str) -> int:
    """Return one more than the newest version number, of folders without a ``model.onnx`` too; 1 for a new model."""
    folder = repository / name
    found = os.listdir(folder) if NAME.fullmatch(name) and os.path.isdir(folder) and os.access(folder, os.R_OK) else ()
    return 1 + max((int(version) for version in found if version.isdecimal()), default=0)


def shared_variant(repository: Path, name: str) -> list[str]:
    """Say which model answers for the variant of a published one, if others in the repository are of it too.

    Args:
        repository: folder of models; those that can't be opened are passed over.
        name: of the published one.
    """
    there = []
    for other, versions in stored_versions(repository).items():
        with suppress(ModelError):
            contract = contract_of(versions[0].path, other)
            if Outputs.MASKS in contract.outputs:  # others answer for no variant
                there.append(ModelRef(other, versions[0].version, contract.variant, "onnx"))
    variants = {model.variant for model in there if model.name == name}
    return shared_variants([model for model in there if model.variant in variants])


def check_place(repository: Path, name: str, version: int, replace: bool) -> None:
    """Check, before any work is done, that a version can be written where it is to go; nothing is created.

    Raises:
        InstallError: the name is none, the version exists and ``replace`` is false, or this user can't write there.
    """
    if not NAME.fullmatch(name):
        raise InstallError(f"name: {name[:100]!r} is not 1 to 100 letters and digits, with _ and - behind the first")
    for folder in (repository / name, repository):
        if os.path.lexists(folder) and not os.path.isdir(folder):  # a link that leads nowhere is none either
            raise InstallError(f"repository: {folder} is no folder")
    places = (repository / name, *(repository / name).absolute().parents)
    there = next(folder for folder in places if os.path.exists(folder))  # pathlib's raises where a folder is locked
    if not os.path.isdir(there) or not os.access(there, os.W_OK | os.X_OK):
        raise InstallError(f"repository: this user can't write into {there}")
    if (repository / name / str(version)).exists() and not replace:
        free = next_version(repository, name)
        raise InstallError(f"version {version} of {name} exists; publish version {free}, or ask for --replace")


def check_contract(contract: Contract, repository: Path, name: str, version: int) -> list[int]:
    """Check that a version has the contract of the newest of the others; return the others' numbers, newest first.

    Only the foreground may go: Triton's configuration for masks alone fits files with both, too.

    Raises:
        InstallError: it differs.
        ModelError: the newest of the others can't be opened.
    """
    others = [stored for stored in stored_versions(repository).get(name, ()) if int(stored.version) != version]
    if others:
        theirs = contract_of(others[0].path, name)
        if contract.outputs is Outputs.MASKS and Outputs.MASKS in theirs.outputs:
            theirs = theirs._replace(outputs=Outputs.MASKS)
        for field, now, before in zip(Contract._fields, contract, theirs, strict=True):
            if field == "outputs" and now != before:
                now, before = (" and ".join(each.names) for each in (contract.outputs, theirs.outputs))
            if now != before:
                where = f"version {others[0].version} of {name}"
                raise InstallError(f"{field} is {now}, and {before} in {where}; give it another name")
    return [int(other.version) for other in others]


def install(built: Path, repository: Path, name: str, version: int, replace: bool = False) -> Path:
    """Install a version.

    Args:
        built: folder of the version, with ``model.onnx`` and the files beside it; it is copied.
        repository: folder of models; created if it does not exist.
        name: of the model.
        version: its number.
        replace: replace a version of that number. For a moment neither exists: services continue with what they have
            loaded, but a crash in that moment leaves the old version under ``.N.replaced``.

    Returns:
        The version's folder.

    Raises:
        InstallError: the version exists and is not to be replaced, or other versions have another contract.
    """
    check_place(repository, name, version, replace)
    others = check_contract(contract_of(built / "model.onnx", name), repository, name, version)
    folder = repository / name
    final, partial, replaced = folder / str(version), folder / f".{version}.partial", folder / f".{version}.replaced"
    for left in (partial, replaced):
        shutil.rmtree(left, ignore_errors=True)
    try:
        shutil.copytree(built, partial)
    except OSError:  # such as a full disk
        shutil.rmtree(partial, ignore_errors=True)
        raise
    # The folder it was built in may have been private; servers run as other users.
    partial.chmod(0o755)
    newest = version > max(others, default=0)
    if newest:
        for path, text in configurations(name, partial / "model.onnx").items():
            _write(folder / path, text)
    if final.exists():
        final.rename(replaced)
    partial.rename(final)
    shutil.rmtree(replaced, ignore_errors=True)
    for file in FOR_READERS:
        if newest and (final / file).exists():
            _write(folder / file, (final / file).read_text())
    return final


def _write(path: Path, text: str) -> None:
    """Write a file atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text)
    os.replace(partial, path)
