"""Arrows point inward only: who may import whom."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Importer (by prefix) -> what it must never import. Prefixes are dotted module names.
FORBIDDEN = {
    "hiseg": ["hiseg_training", "torch", "torchvision", "timm", "onnx"],
    "hiseg.transports": ["hiseg.engines", "hiseg.app", "hiseg.cli.main"],
    "hiseg.transports.http": ["hiseg.transports.grpc", "grpc"],
    "hiseg.transports.grpc": ["hiseg.transports.http", "fastapi"],
    "hiseg.video": ["hiseg.transports", "fastapi"],
    "hiseg.doctor": ["hiseg.transports", "fastapi"],
    "hiseg.client": [
        "hiseg.transports.http",
        "hiseg.transports.grpc.servicer",
        "hiseg.transports.grpc.server",
        "hiseg.transports.grpc.requests",
        "hiseg.transports.grpc.status",
        "hiseg.transports.grpc.answers",
        "hiseg.transports.grpc.stream",
        "hiseg.transports.grpc.desk",
        "hiseg.transports.grpc.info",
        "hiseg.transports.grpc.health",
        "hiseg.engines",
        "hiseg.batching",
        "hiseg.app",
        "hiseg.cli.main",
        "hiseg.segmenter",
        "hiseg.settings",
        "hiseg.api.options",
        "hiseg.api.answer",
        "hiseg.images.encoded",
        "hiseg.observability.metrics",
        "hiseg.bench",
        "fastapi",
        "pydantic",
        "uvicorn",
        "onnxruntime",
    ],
    "hiseg.engines": ["hiseg.transports", "hiseg.batching", "hiseg.segmenter", "fastapi"],
    "hiseg.batching": ["hiseg.transports", "hiseg.segmenter", "fastapi"],
    "hiseg.access": [
        "hiseg.transports",
        "hiseg.engines",
        "hiseg.batching",
        "hiseg.settings",
        "fastapi",
        "grpc",
    ],
    "hiseg.masks": ["hiseg.transports", "hiseg.engines", "hiseg.batching", "fastapi"],
    "hiseg.segmenter": ["hiseg.transports", "hiseg.engines.onnx", "onnxruntime", "fastapi", "grpc"],
    "hiseg.core": [
        "hiseg.access",
        "hiseg.api",
        "hiseg.batching",
        "hiseg.engines",
        "hiseg.images",
        "hiseg.masks",
        "hiseg.models",
        "hiseg.observability",
        "hiseg.segmenter",
        "hiseg.settings",
        "hiseg.transports",
        "fastapi",
        "grpc",
        "onnxruntime",
    ],
}


def modules() -> dict[str, Path]:
    found = {}
    for path in sorted((ROOT / "service").rglob("*.py")):
        parts = path.relative_to(ROOT / "service").with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def within(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix + ".")


@pytest.mark.parametrize("module", modules())
def test_module_imports_nothing_outward(module: str) -> None:
    taken = imports(modules()[module])
    for importer, banned in FORBIDDEN.items():
        if within(module, importer):
            wrong = [name for name in taken for prefix in banned if within(name, prefix)]
            assert not wrong, f"{module} must not import {wrong}"


def test_there_are_no_circles() -> None:
    files = modules()
    every = {name: imports(path) for name, path in files.items()}
    graph = {
        name: {target for target in files for taken in every[name] if within(taken, target)}
        - {name, *(".".join(name.split(".")[:depth]) for depth in range(1, name.count(".") + 1))}
        for name in files
    }
    # A package counts as imported only if its __init__ is; ours hold nothing but a docstring.
    graph = {name: {t for t in targets if files[t].name != "__init__.py"} for name, targets in graph.items()}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path, name))
        if name not in done:
            for target in graph[name]:
                visit(target, (*path, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_the_service_fetches_nothing() -> None:
    """No URL of a caller can make it ask anybody: what could is imported by the programs that ask, and nowhere else."""
    asking = ["httpx", "aiohttp", "requests", "urllib.request", "urllib3", "http.client", "ftplib"]
    programs = ("hiseg.client", "hiseg.bench", "hiseg.doctor")
    for module, path in modules().items():
        if not any(within(module, program) for program in programs):
            wrong = [name for name in imports(path) for prefix in asking if within(name, prefix)]
            assert not wrong, f"{module} must not import {wrong}"


@pytest.mark.parametrize("folder", ["service", "training"])
def test_files_say_why_they_exist_and_stay_small(folder: str) -> None:
    for path in (ROOT / folder).rglob("*.py"):
        text = path.read_text()
        assert ast.get_docstring(ast.parse(text)), f"{path} does not say why it exists"
        assert len(text.splitlines()) <= 400, f"{path} is over 400 lines"
