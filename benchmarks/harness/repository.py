"""A model repository with the published B0's ``model.onnx`` as version 1, and the foreground's where one is published.

Tests that add versions and models to a copy of it don't depend on what is published at the moment. It is created when
this module is first imported, takes hardly any space, and is deleted when the process ends. Copy it before you change
one of its files: they may be hard links to the published ones.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from benchmarks.harness.paths import PUBLISHED
from hiseg.core.model_choice import PUBLISHED_FOREGROUND
from hiseg.models.repository import stored_versions


def _link_or_copy(source: str, target: str) -> None:
    """A hard link, or a copy where links can't be made, such as to another file system."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _as_version_1(name: str, repository: Path) -> None:
    """Copy the newest published version of a model without its file in INT8, which some processors would run."""
    newest = stored_versions(PUBLISHED)[name][0].path.parent
    shutil.copytree(newest.parent, repository / name, ignore=shutil.ignore_patterns("[0-9]*"))
    shutil.copytree(
        newest,
        repository / name / "1",
        ignore=shutil.ignore_patterns("*.pth", "*.int8.onnx"),
        copy_function=_link_or_copy,
    )


def _models_as_version_1() -> Path:
    repository = Path(tempfile.mkdtemp(prefix="hiseg-models-"))
    atexit.register(shutil.rmtree, repository, ignore_errors=True)
    for name in {"hiseg_b0", PUBLISHED_FOREGROUND} & stored_versions(PUBLISHED).keys():
        _as_version_1(name, repository)
    return repository


REPOSITORY = _models_as_version_1()
MODELS = sorted(stored_versions(REPOSITORY))
"""Their names."""
B0 = REPOSITORY / "hiseg_b0" / "1" / "model.onnx"
