"""Generates the Python stubs of ``protos/``: ``.venv/bin/python protos/generate.py``.

The stubs are committed, so that nobody needs the compiler to run the service; a test checks that they are up to date.
The compiler writes ``from hiseg.v1 import …``, as if ``hiseg.v1`` were a top-level package; one line of post-processing
below changes these imports to the package in which the stubs really are. (Putting the ``.proto`` files into a folder
of that name instead would give the descriptors another file name than in other languages, and one process could not
load both copies of them.)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

SOURCE = Path(__file__).parent
TARGET = SOURCE.parent / "service" / "hiseg" / "transports" / "grpc" / "generated"
PACKAGE = "hiseg.transports.grpc.generated"
WELL_KNOWN = files("grpc_tools") / "_proto"


def sources() -> list[Path]:
    """All ``.proto`` files of this folder."""
    return sorted(SOURCE.rglob("*.proto"))


def compile_protos(options: Sequence[str]) -> None:
    """Run the compiler over all sources.

    Raises:
        RuntimeError: the compiler found an error; it has written the details to stderr.
    """
    if protoc.main(["protoc", f"-I{SOURCE}", f"-I{WELL_KNOWN}", *options, *map(str, sources())]):
        raise RuntimeError("protoc failed")


def generate(target: Path) -> list[Path]:
    """Write the stubs under ``target`` and return their paths."""
    target.mkdir(parents=True, exist_ok=True)
    compile_protos([f"--{kind}_out={target}" for kind in ("python", "pyi", "grpc_python")])
    stubs = sorted(path for path in target.rglob("*_pb2*.py*") if path.suffix in (".py", ".pyi"))
    for path in stubs:
        path.write_text(re.sub(r"^from hiseg\.", f"from {PACKAGE}.hiseg.", path.read_text(), flags=re.MULTILINE))
    return stubs


if __name__ == "__main__":
    generate(TARGET)
