"""Makes the Python stubs of ``protos/`` anew: ``.venv/bin/python protos/generate.py``.

They are committed, so that nobody needs the compiler to run the service; a test holds that they are what this makes.
The compiler writes ``from hiseg.v1 import …``, as if ``hiseg`` were a package at the top; the one line of
post-processing below makes that the place where the stubs really are. (Naming the files by that place instead would
give the descriptors another file name than other languages' have, and two copies of them could not live in one
process.)
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
    """Every ``.proto`` file of ours."""
    return sorted(SOURCE.rglob("*.proto"))


def compile_protos(options: Sequence[str]) -> None:
    """Run the compiler over all sources.

    Raises:
        RuntimeError: it found an error, and wrote about it to stderr.
    """
    if protoc.main(["protoc", f"-I{SOURCE}", f"-I{WELL_KNOWN}", *options, *map(str, sources())]):
        raise RuntimeError("protoc failed")


def generate(target: Path) -> list[Path]:
    """Write the stubs under ``target``, and say which they are."""
    target.mkdir(parents=True, exist_ok=True)
    compile_protos([f"--{kind}_out={target}" for kind in ("python", "pyi", "grpc_python")])
    stubs = sorted(path for path in target.rglob("*_pb2*.py*") if path.suffix in (".py", ".pyi"))
    for path in stubs:
        path.write_text(re.sub(r"^from hiseg\.", f"from {PACKAGE}.hiseg.", path.read_text(), flags=re.MULTILINE))
    return stubs


if __name__ == "__main__":
    generate(TARGET)
