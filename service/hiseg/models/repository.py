"""The model repository on disk: ``name/version/model.onnx``, newest version first, as Triton lays it out.

Where nobody says which folder it is, it is ``model_repository`` in the working folder if there are models in that, else
the one that comes with hiseg: inside the package if that was installed from a wheel, beside it in a checkout.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hiseg.core.result import ModelRef
from hiseg.core.start_error import StartError

HERE = Path("model_repository")
"""Looked into first where no folder is set: in the working folder, as ever."""
PACKAGE = Path(__file__).parents[1]
OWN = PACKAGE / "model_repository"
"""Where a wheel has its models."""
CHECKOUT = PACKAGE.parents[1]
MEND = "Set model_repository (HISEG_MODEL_REPOSITORY, or --repository) to the folder that has name/version/model.onnx."


class NoModels(StartError):
    """The repository has no model, or isn't there."""


class NoDefaultVariant(StartError):
    """No model is of the default variant, nor is one called so.

    Args:
        default_variant: the setting.
        models: the models that give masks.
    """

    def __init__(self, default_variant: str, models: Iterable[ModelRef]) -> None:
        there = [f"{model.name} of variant {model.variant}" for model in sorted(models, key=lambda each: each.name)]
        found = f"default_variant is {default_variant!r}, and there is {', '.join(there) or 'none that gives masks'}"
        super().__init__(found, "Set default_variant to a variant, or to a model's name, that is there.")


@dataclass(frozen=True, slots=True)
class StoredModel:
    """One model file of the repository.

    Attributes:
        name: name of the model, which is its folder in the repository.
        version: number of the version, which is its folder in that one.
        path: the ``.onnx`` file.
        stamp: inode, times and size of file and folder; it differs once the file or the folder's content changed.
    """

    name: str
    version: str
    path: Path
    stamp: tuple[int, ...] = ()


def find_repository(setting: Path | None) -> Path:
    """Return the folder of the models: the one that is set, whatever it holds, or the first that has models.

    Args:
        setting: the setting ``model_repository``; None: it isn't set.

    Raises:
        NoModels: none is set, and there are no models in any of the places that are looked at.
    """
    if setting is not None:
        return setting
    places = default_places()
    for place in places:
        if stored_versions(place):
            return place
    looked = ", ".join(_absolute(place) for place in places)
    raise NoModels(f"no model (name/version/model.onnx) in any of {looked}", MEND)


def local_repository(setting: Path | None) -> Path | None:
    """The same for who can do without, since the models run elsewhere; None: there is none."""
    with suppress(NoModels):
        return find_repository(setting)
    return None


def default_places() -> list[Path]:
    """The folders that are looked into where none is set, in this order."""
    is_checkout = (CHECKOUT / "service" / "hiseg") == PACKAGE and (CHECKOUT / "pyproject.toml").is_file()
    return [HERE, CHECKOUT / HERE if is_checkout else OWN]


def stored_versions(repository: Path) -> dict[str, list[StoredModel]]:
    """All versions of each model, by name, newest first; empty if there is no such folder."""
    found: dict[str, list[StoredModel]] = {}
    if not os.path.isdir(repository):  # pathlib raises an error where a path is too long, or hidden from this user
        return found
    for path in sorted(repository.glob("*/*/model.onnx")):
        name, version = path.parts[-3], path.parts[-2]
        if version.isdecimal() and not name.startswith("."):
            stamp = stamp_of(path)
            if stamp is not None:  # else it was removed at this moment
                found.setdefault(name, []).append(StoredModel(name, version, path, stamp))
    return {name: sorted(models, key=lambda model: -int(model.version)) for name, models in found.items()}


def stamp_of(path: Path) -> tuple[int, ...] | None:
    """The stamp of a :class:`StoredModel`; None: there is no such file."""
    try:
        model, folder = path.stat(), path.parent.stat()
    except FileNotFoundError:
        return None
    return model.st_ino, model.st_mtime_ns, model.st_size, folder.st_mtime_ns


def stored_models(repository: Path) -> list[StoredModel]:
    """The newest version of each model, in the order of their names.

    Raises:
        NoModels: there is no such folder, or no model in it.
    """
    newest = [models[0] for models in stored_versions(repository).values()]
    if not newest:
        where = _absolute(repository)
        found = f"no model (name/version/model.onnx) in {where}"
        if not os.path.isdir(repository):
            found = f"there is no folder {where} with models, or this user can't open it"
        raise NoModels(found, MEND)
    return newest


def _absolute(folder: Path) -> str:
    """A folder as one line of text."""
    return " ".join(str(folder.absolute()).splitlines())
