"""Clients that other people's tools make of the document talk to a running service, which wants a key."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import PIL.Image
import pytest

from benchmarks.harness.availability import missing
from benchmarks.harness.paths import ROOT, SAMPLE
from benchmarks.harness.serving import Server, serving
from tests.npm import installed

HERE = Path(__file__).parent
OPENAPI = ROOT / ".venv-openapi"
PACKAGES = "openapi-typescript@7.13", "openapi-fetch@0.17", "typescript@5.9", "@types/node@24.10"
COMPILER = {
    "target": "es2022",
    "module": "nodenext",
    "strict": True,
    "noUncheckedIndexedAccess": True,
    "lib": ["es2023", "dom", "dom.iterable"],
    "types": ["node"],
}
KEY = "a key"
PAGE = (ROOT / "docs" / "integrations.md").read_text()
(EXAMPLE,) = re.findall(r"```python\n(from hiseg_client.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def locked() -> Iterator[Server]:
    """A service that wants a key."""
    with serving(api_keys=sha256(KEY.encode()).hexdigest()) as server:
        yield server


@pytest.fixture(scope="module")
def bin_folder() -> Path:
    """The programs of the environment for the document, or a skip."""
    if not (OPENAPI / ".full").exists():
        missing(f"there is no {OPENAPI}; `make test` makes it")
    return OPENAPI / "bin"


@pytest.fixture
def source(locked: Server, tmp_path: Path) -> Path:
    """The document, as a file."""
    path = tmp_path / "openapi.json"
    path.write_bytes(httpx.get(locked.url + "/openapi.json").raise_for_status().content)
    return path


def run(*command: object, cwd: Path, **variables: str) -> tuple[str, str]:
    """What a program prints, on both streams."""
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, done.stderr


def test_the_document_is_valid(bin_folder: Path, source: Path, tmp_path: Path) -> None:
    said, _ = run(bin_folder / "openapi-spec-validator", "--errors", "all", source, cwd=tmp_path)
    assert said.strip().endswith(": OK")


def test_a_client_of_python(bin_folder: Path, source: Path, tmp_path: Path, locked: Server) -> None:
    environment = {"PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": ""}
    generate = (bin_folder / "openapi-python-client", "generate", "--path", source, "--output-path", "made")
    said = "".join(run(*generate, cwd=tmp_path, **environment))
    assert "warning" not in said.lower(), said
    photos = [SAMPLE]
    for kind in ("png", "webp"):
        photos.append(tmp_path / f"photo.{kind}")
        PIL.Image.open(SAMPLE).save(photos[-1], lossless=True)
    program = (bin_folder / "python", "-W", "error::UserWarning", HERE / "client.py", locked.url, KEY, *photos)
    got: dict[str, Any] = json.loads(run(*program, cwd=tmp_path, **environment | {"PYTHONPATH": "made"})[0])
    assert len(set(got["areas"][:4])) == 1
    assert max(got["areas"]) - min(got["areas"]) < got["areas"][0] / 100, "the same photo in other types"
    assert set(got["formats"]) == {"coco_rle", "png", "coco_rle_uncompressed", "polygon", "cutout", "packed"}
    assert got["pictures"] == dict.fromkeys(("label_map", "overlay", "cutout"), "PNG")
    assert got["wrong"] == [422, "INVALID_REQUEST", "boxes[0]", 4, 3]
    assert got["no_key"] == [401, "INVALID_API_KEY"]
    assert (got["boxes"], got["ready"], got["unknown"]) == (100, "onnx", "NOT_FOUND")
    assert got["outputs"] == ["masks", "scores", "areas", "boxes", "image_size"]
    example = EXAMPLE.replace("http://127.0.0.1:8000", locked.url).replace("…", KEY)
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    printed, _ = run(bin_folder / "python", "-c", example, cwd=tmp_path, **environment | {"PYTHONPATH": "made"})
    assert int(printed) == got["areas"][0], "the example of docs/integrations.md"


def test_a_client_of_typescript(source: Path, tmp_path: Path, locked: Server) -> None:
    modules = installed("hiseg-openapi", *PACKAGES)
    (tmp_path / "node_modules").symlink_to(modules)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    for name in ("client.ts", "generate.mjs"):
        shutil.copy(HERE / name, tmp_path)
    said = "".join(run("node", "generate.mjs", source.as_uri(), "schema.ts", cwd=tmp_path))
    assert "warn" not in said.lower(), said
    (tmp_path / "tsconfig.json").write_text(json.dumps({"compilerOptions": COMPILER, "files": ["client.ts"]}))
    run(modules / ".bin" / "tsc", "--project", "tsconfig.json", cwd=tmp_path)
    got = json.loads(run("node", "client.js", locked.url, SAMPLE, KEY, cwd=tmp_path)[0])
    assert len(got["areas"]) == 5
    assert len(set(got["areas"])) == 1
    assert got["areas"][0] > 100_000
    assert (got["boxes"], got["ready"], got["magic"]) == (100, "ready", "PNG")
    assert got["problem"][:3] == ["INVALID_REQUEST", 422, "boxes[0]"]
