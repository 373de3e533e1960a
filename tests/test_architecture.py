"""Imports point inward only: which part of the service may import which, and what none of them may import."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

MAY_IMPORT = {
    "core": "",
    "access": "core",
    "images": "core",
    "masks": "core",
    "observability": "core",
    "engines": "core observability",
    "batching": "core engines observability",
    "stages": "batching core engines images masks observability",
    "segmenter": "batching core engines images masks observability stages",
    "settings": "access batching core engines observability",
    "api": "access batching core images masks observability segmenter settings",
    "models": "api batching core engines images masks observability segmenter settings",
    "lifecycle": "batching core observability",
    "transports": "access api batching core images masks observability segmenter settings",
    "client": "core images masks transports.grpc.generated",
    "bench": "client core transports.grpc",
    "doctor": "access api client core engines models settings",
    "app": "access batching core engines images lifecycle models observability segmenter settings transports",
    "session": "api client core doctor engines images masks models observability segmenter settings",
    "photos": "api client core engines images masks session settings",
    "video": "api client core images masks session settings",
    "cli": "access api app bench client core doctor engines images lifecycle masks models observability photos"
    " session settings video",
}
"""Each part of the service, and the parts (or packages in them) that it may import besides itself."""

BANNED = {
    "hiseg": ["hiseg_training", "torch", "torchvision", "timm", "onnx"],
    "hiseg.access": ["fastapi", "grpc"],
    "hiseg.batching": ["fastapi", "grpc", "onnxruntime"],
    "hiseg.bench": ["fastapi"],
    "hiseg.client": [
        "fastapi",
        "onnxruntime",
        "prometheus_client",
        "pydantic",
        "uvicorn",
    ],
    "hiseg.core": ["fastapi", "grpc", "onnxruntime"],
    "hiseg.doctor": ["fastapi"],
    "hiseg.engines": ["fastapi"],
    "hiseg.masks": ["fastapi", "grpc", "onnxruntime"],
    "hiseg.observability": ["fastapi", "grpc", "onnxruntime"],
    "hiseg.photos": ["fastapi", "grpc", "httpx"],
    "hiseg.segmenter": ["fastapi", "grpc", "hiseg.engines.onnx", "hiseg.engines.triton", "onnxruntime"],
    "hiseg.session": ["fastapi", "grpc", "uvicorn"],
    "hiseg.stages": ["fastapi", "grpc", "hiseg.engines.onnx", "hiseg.engines.triton", "onnxruntime"],
    "hiseg.transports.grpc": ["fastapi", "hiseg.transports.http"],
    "hiseg.transports.http": ["grpc", "hiseg.transports.grpc"],
    "hiseg.video": ["fastapi"],
}
"""What the modules under a name must never import, by dotted prefix."""


def read_modules(folder: Path) -> dict[str, Path]:
    """The modules below a source folder, by dotted name."""
    found = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path: Path) -> set[str]:
    """Dotted names that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


FILES = read_modules(ROOT / "service")
IMPORTS = {name: imports(path) for name, path in FILES.items()}


def within(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix + ".")


def part(module: str) -> str:
    """The part of the service that a module belongs to; empty for the package itself and its ``__main__``."""
    return next((name for name in MAY_IMPORT if within(module, f"hiseg.{name}")), "")


def may_import(importer: str, name: str) -> bool:
    """Whether a part of the service may import a dotted name of the package."""
    allowed = [importer, *MAY_IMPORT[importer].split()]
    return any(within(name, f"hiseg.{inner}") for inner in allowed)


def test_each_part_imports_only_parts_further_inward() -> None:
    wrong = [
        f"{module} must not import {name}"
        for module, names in IMPORTS.items()
        for name in sorted(names)
        if part(module) and within(name, "hiseg") and not may_import(part(module), name)
    ]
    assert not wrong


def test_every_module_belongs_to_a_part() -> None:
    assert [module for module in FILES if not part(module)] == ["hiseg", "hiseg.__main__"]


def test_the_parts_have_an_order() -> None:
    """What a part may import comes before it in the list, so the parts can't be in a circle."""
    order = list(MAY_IMPORT)
    for outer, inner in MAY_IMPORT.items():
        assert all(order.index(name.split(".")[0]) < order.index(outer) for name in inner.split()), outer


def test_nothing_banned_is_imported() -> None:
    wrong = [
        f"{module} must not import {name}"
        for importer, prefixes in BANNED.items()
        for module, names in IMPORTS.items()
        for name in sorted(names)
        if within(module, importer) and any(within(name, prefix) for prefix in prefixes)
    ]
    assert not wrong


def test_nothing_outside_of_the_tests_imports_them() -> None:
    """What measurements and load tests share with tests lies in ``benchmarks/harness``."""
    folders = ("service", "training", "benchmarks", "loadtest", "docs")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    assert not [f"{path} imports {name}" for path in paths for name in imports(path) if within(name, "tests")]


def loaded_by(module: str) -> set[str]:
    """Modules that importing a module loads directly.

    These are the modules it names and the packages that hold them, except the packages it is in itself: those are
    being loaded already.
    """
    around = {module, *parents(module)}
    found = {target for target in FILES for name in IMPORTS[module] if within(name, target)}
    return found - around


def parents(module: str) -> set[str]:
    parts = module.split(".")
    return {".".join(parts[:depth]) for depth in range(1, len(parts))}


def test_there_are_no_circles() -> None:
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path, name))
        if name not in done:
            for target in sorted(loaded_by(name)):
                visit(target, (*path, name))
            done.add(name)

    for name in FILES:
        visit(name, ())


def test_the_service_fetches_nothing() -> None:
    """No URL of a caller can make it ask anybody: what could is imported by the programs that ask, and nowhere else."""
    asking = ["httpx", "aiohttp", "requests", "urllib.request", "urllib3", "http.client", "ftplib"]
    programs = ("hiseg.client", "hiseg.bench", "hiseg.doctor")
    for module, names in IMPORTS.items():
        if not any(within(module, program) for program in programs):
            wrong = [name for name in names for prefix in asking if within(name, prefix)]
            assert not wrong, f"{module} must not import {wrong}"


@pytest.mark.parametrize("folder", ["service", "training"])
def test_files_say_why_they_exist_and_stay_small(folder: str) -> None:
    for path in (ROOT / folder).rglob("*.py"):
        text = path.read_text()
        assert ast.get_docstring(ast.parse(text)), f"{path} does not say why it exists"
        assert len(text.splitlines()) <= 400, f"{path} is over 400 lines"
