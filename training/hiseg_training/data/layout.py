"""Where things lie beside an annotation file, in the document's layout: ``annotations/`` and ``images/<split>/``."""

from __future__ import annotations

from pathlib import Path


def images_beside(annotations: Path) -> Path:
    """The folder of a file's images: ``images/val2017`` for ``annotations/instances_val2017_whatever.json``.

    Raises:
        FileNotFoundError: it isn't there.
    """
    words = annotations.stem.split("_")
    split = words[1] if len(words) > 1 else words[0]
    folder = annotations.parent.parent / "images" / split
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}, where the images of {annotations} should be, does not exist: name theirs")
    return folder
