"""Installs a finished version into a model repository while services and Triton read from it.

A version appears complete, by one rename. Before that, the files that all versions of the model share are replaced,
each by a rename. At any moment, and after a crash at any moment, readers find complete versions and a configuration
that fits them: all versions of a model keep one contract.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from hiseg.engines.base import ModelInfo
from hiseg.engines.onnx import OnnxEngine
from hiseg.models.repository import stored_versions
from hiseg_training.export.triton import configurations

FOR_READERS = ("MODEL_CARD.md", "metrics.json")
"""Files for people: in each version's folder, and in the model's folder those of the newest version."""


class InstallError(Exception):
    """The version cannot be installed; the message says why, and what to do."""


def next_version(repository: Path, name: str) -> int:
    """Return one more than the newest version number; 1 for a new model."""
    return 1 + max((int(stored.version) for stored in stored_versions(repository).get(name, ())), default=0)


def check_version_is_free(repository: Path, name: str, version: int, replace: bool) -> None:
    """Check, before any work is done, that a version can be installed under its number.

    Raises:
        InstallError: the version exists and ``replace`` is false.
    """
    if (repository / name / str(version)).exists() and not replace:
        free = next_version(repository, name)
        raise InstallError(f"version {version} of {name} exists; publish version {free}, or ask for --replace")


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
    check_version_is_free(repository, name, version, replace)
    others = [stored for stored in stored_versions(repository).get(name, ()) if int(stored.version) != version]
    if others:
        _check_contract(built, name, others[0].path, others[0].version)
    folder = repository / name
    final, partial, replaced = folder / str(version), folder / f".{version}.partial", folder / f".{version}.replaced"
    for left in (partial, replaced):
        shutil.rmtree(left, ignore_errors=True)
    shutil.copytree(built, partial)
    # The folder it was built in may have been private; servers run as other users.
    partial.chmod(0o755)
    newest = not others or version > int(others[0].version)
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


def _check_contract(built: Path, name: str, other: Path, version: str) -> None:
    """Triton has one configuration for all versions of a name, and callers one variant."""
    now, before = _describe(built / "model.onnx", name), _describe(other, name)
    for field in ("canvases", "resize", "mask_size", "crop_scale", "takes_uint8"):
        ours, theirs = getattr(now, field), getattr(before, field)
        if ours != theirs:
            raise InstallError(f"{field} is {ours}, and {theirs} in version {version} of {name}; give it another name")
    if now.ref.variant != before.ref.variant:
        raise InstallError(f"variant is {now.ref.variant}, and {before.ref.variant} in version {version} of {name}")


def _describe(path: Path, name: str) -> ModelInfo:
    engine = OnnxEngine(path, name, "0", threads=1)
    engine.close()
    return engine.info
