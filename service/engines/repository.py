"""The model repository on disk: ``name/version/model.onnx``, newest version first, as Triton lays it out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class StoredModel:
    """One model file of the repository."""

    name: str
    version: str
    path: Path


def stored_models(repository: Path) -> list[StoredModel]:
    """The newest version of each model, by name.

    Raises:
        FileNotFoundError: there is no such folder, or no model in it.
    """
    newest: dict[str, StoredModel] = {}
    for path in sorted(repository.glob("*/*/model.onnx"), key=lambda p: (p.parts[-3], _number(p.parts[-2]))):
        name, version = path.parts[-3], path.parts[-2]
        if version.isdecimal():
            newest[name] = StoredModel(name, version, path)
    if not newest:
        raise FileNotFoundError(f"no model (name/version/model.onnx) in {repository.absolute()}")
    return list(newest.values())


def _number(version: str) -> int:
    return int(version) if version.isdecimal() else -1
