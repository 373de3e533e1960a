"""Tests lie where what they test lies: ``tests/service/X/test_y.py`` belongs to ``service/hiseg/X/y.py``."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.harness.paths import ROOT

SOURCES = {"service": "service/hiseg", "training": "training/hiseg_training"}
ACROSS = {
    # What a caller of the whole client sees, over both transports and in programs of others.
    *("service/client/test_adapters.py", "service/client/test_lean.py", "service/client/test_segment.py"),
    "service/client/test_stream.py",
    # Models as upstream exports them, both engines beside one another, and versions that come and go.
    *("service/engines/test_upstream_files.py", "service/engines/triton/test_parity.py"),
    "service/engines/triton/test_versions.py",
    # People whom a detector found twice, through the published graphs and the engine's pieces.
    "service/engines/test_duplicates.py",
    # Images of all kinds, honest ones as Pillow reads them and hostile ones within limits of steps and memory.
    *("service/images/headers/test_bounds.py", "service/images/test_corpus.py", "service/images/test_memory.py"),
    *("service/images/test_as_browsers_show.py", "service/images/colours/test_as_browsers_show.py"),
    # A trace from the caller to Triton.
    "service/observability/test_request_tracing.py",
    # A transport as its callers meet it: hostile, in other languages, while servers and engines come and go.
    *("service/transports/grpc/test_failures.py", "service/transports/grpc/test_node.py"),
    *("service/transports/grpc/test_protos.py", "service/transports/grpc/test_same_masks.py"),
    *("service/transports/grpc/test_stream_ends.py", "service/transports/grpc/test_tls.py"),
    *("service/transports/grpc/test_triton_restart.py", "service/transports/http/kserve/test_failures.py"),
    *("service/transports/http/test_counting.py", "service/transports/http/test_hostile.py"),
    *("service/transports/http/test_load.py", "service/transports/http/test_mutations.py"),
    # Programs that post photos, OpenAPI's and others', and the reasons and addresses that both transports share.
    *("service/transports/http/openapi/test_clients.py", "service/transports/http/test_clients.py"),
    "service/transports/test_ipv6.py",
    # Two models of one variant, and models that give masks or the foreground alone, over every way in.
    *("service/test_two_models.py", "service/test_three_graphs.py"),
    # A finder, its requests of two stages, and what it finds, over every way in.
    "service/test_finder.py",
    *("service/transports/grpc/test_notes.py", "service/transports/grpc/test_reasons.py"),
    # Commands and filters that several modules make up.
    *(
        "training/cli/test_annotations.py",
        "training/cli/test_stages.py",
        "training/compat/filters/test_filters.py",
        "training/compat/test_door.py",
    ),
}
"""Tests of what no single module does."""
IN_A_BROWSER = "service/transports/http/playground"
"""A folder of scripts: what they do together is tested in Chromium, by what a visitor does."""


def modules(folder: Path) -> set[str]:
    """Modules and packages below a source folder, as ``X/y``."""
    return {
        path.relative_to(folder).with_suffix("").as_posix().removesuffix("/__init__") for path in folder.rglob("*.py")
    }


@pytest.mark.parametrize("part", SOURCES)
def test_each_test_file_has_its_module(part: str) -> None:
    tests, known = ROOT / "tests" / part, modules(ROOT / SOURCES[part])
    wrong = []
    for path in sorted(tests.rglob("test_*.py")):
        name = path.relative_to(ROOT / "tests").as_posix()
        module = path.relative_to(tests).with_name(path.stem.removeprefix("test_")).as_posix()
        if module not in known and name not in ACROSS and not name.startswith(IN_A_BROWSER):
            wrong.append(f"{name}: there is no {SOURCES[part]}/{module}.py")
    assert not wrong


def test_the_list_names_test_files_that_exist() -> None:
    assert not [name for name in sorted(ACROSS) if not (ROOT / "tests" / name).exists()]


@pytest.mark.parametrize("part", SOURCES)
def test_each_source_folder_has_a_folder_of_tests(part: str) -> None:
    source = ROOT / SOURCES[part]
    folders = {path.parent.relative_to(source) for path in source.rglob("__init__.py")}
    folders = {folder for folder in folders if "generated" not in folder.parts}
    assert not [str(folder) for folder in sorted(folders) if not (ROOT / "tests" / part / folder).is_dir()]
