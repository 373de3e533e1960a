"""Hints to install what is missing: they name the extra, and a command that fits where hiseg came from."""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks.harness.paths import ROOT
from hiseg.core import extras
from hiseg.core.extras import (
    ExtraMissing,
    broken_runtime,
    extra_for,
    install_command,
    installed_runtimes,
    joined,
    missing_extra,
    needing,
)

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
ALONE = {
    "": ("hiseg.cli.main", "hiseg.client", "hiseg.photos.segmentation"),
    "bench": ("hiseg.bench.http_sender", "hiseg.bench.plot", "hiseg.bench.run"),
    "cpu": ("hiseg.app", "hiseg.doctor.examine", "hiseg.engines.onnx", "hiseg.transports.http.app"),
    "loadtest": ("loadtest.users",),
    "service": ("hiseg.masks.formats.overlay", "hiseg.transports.http.app"),
    "tracing": ("hiseg.observability.otel",),
    "triton": ("hiseg.app", "hiseg.doctor.servers", "hiseg.engines.triton.discovery", "hiseg.engines.triton.engine"),
    "video": ("hiseg.cli.video", "hiseg.video.reader", "hiseg.video.remote", "hiseg.video.writer"),
}
"""What each extra is for: these modules run with it and without any other."""


def installed(folder: Path, name: str, *files: str, direct_url: dict[str, Any] | None = None) -> None:
    """Lay down what pip leaves of a package: its metadata, and the list of its files."""
    about = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (about / "RECORD").write_text("".join(f"{file},,\n" for file in files))
    if direct_url is not None:
        (about / "direct_url.json").write_text(json.dumps(direct_url))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which packages are looked for."""
    folder = tmp_path / "site"
    folder.mkdir()
    real = importlib.metadata.distributions
    monkeypatch.setattr(extras, "distributions", lambda: real(path=[str(folder)]))
    monkeypatch.setattr(extras, "distribution", lambda name: next(iter(real(name=name, path=[str(folder)]))))
    monkeypatch.setattr(extras, "pip", lambda: "pip")
    return folder


@pytest.mark.parametrize(
    ("direct_url", "command"),
    [
        (None, "pip install 'hiseg[video]'"),
        ({"url": "{here}", "dir_info": {"editable": True}}, "pip install -e '{path}[video]'"),
        ({"url": "{here}", "dir_info": {}}, "pip install 'hiseg[video] @ {here}'"),
        ({"url": "{here}/x.whl", "archive_info": {}}, "pip install 'hiseg[video] @ {here}/x.whl'"),
        (
            {"url": "https://git.example/hiseg", "vcs_info": {"vcs": "git", "commit_id": "5eed"}},
            "pip install 'hiseg[video] @ git+https://git.example/hiseg@5eed'",
        ),
        (
            {"url": "{here}/gone.whl", "archive_info": {}},
            "install hiseg again with its extra 'video' (it came from {here}/gone.whl, which isn't there any more)",
        ),
    ],
)
def test_the_command_fits_where_hiseg_came_from(
    site: Path, tmp_path: Path, direct_url: dict[str, Any] | None, command: str
) -> None:
    folder = tmp_path / "my checkout"
    folder.mkdir()
    (folder / "x.whl").touch()
    here = folder.as_uri()
    if direct_url is not None:
        direct_url = direct_url | {"url": direct_url["url"].format(here=here)}
    installed(site, "hiseg", direct_url=direct_url)
    assert install_command("video") == command.format(here=here, path=folder)


def test_pip_is_the_one_of_this_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    assert extras.pip() == "pip"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert extras.pip() == f"{sys.executable} -m pip"
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    assert extras.pip() == f"pip --python {sys.executable}"


def test_the_error_is_one_of_imports(site: Path) -> None:
    installed(site, "hiseg")
    error = missing_extra("--plot", "bench")
    assert isinstance(error, ImportError)
    assert str(error) == "--plot needs packages that aren't installed: pip install 'hiseg[bench]'"


def test_a_failed_import_names_the_extra(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(site, "hiseg")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ExtraMissing, match=r"^a video needs packages .*'hiseg\[video\]'$"), needing("a video"):
        import av  # noqa: F401


def test_a_module_of_no_extra_is_an_error_as_ever() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_module"), needing("it"):
        import no_such_module  # type: ignore[import-not-found]  # noqa: F401


def modules_of(package: str) -> set[str]:
    """Top-level modules that an installed package brings."""
    lines = (importlib.metadata.distribution(package).read_text("RECORD") or "").splitlines()
    return {re.split(r"[/.]", line)[0] for line in lines}


def test_what_an_extra_brings_leads_to_it() -> None:
    names = {extra: [re.split(r"[\[<>=; ]", need)[0] for need in needs] for extra, needs in EXTRAS.items()}
    wrong = []
    for extra in names.keys() - {"dev", "gpu"}:  # nothing but tests needs the first, and the second isn't installed
        for package in names[extra]:
            leads = {extra_for(module) for module in modules_of(package)} - {None}
            # The service's lead to the extra that brings a runtime, too, and has the service's in it.
            has = {name for name in leads if name and (package in names[name] or (name, extra) == ("cpu", "service"))}
            if package != "hiseg" and not has:
                wrong.append(f"{package} of {extra} leads to {leads}")
    assert not wrong


def brought_by(extra: str) -> set[str]:
    """Names of all packages that an installation with this extra alone has."""
    found: set[str] = set()
    needs = [*PROJECT["dependencies"], *EXTRAS.get(extra, ())]
    while needs:
        need = Requirement(needs.pop())
        name = canonicalize_name(need.name)
        if need.marker is not None and not any(need.marker.evaluate({"extra": each}) for each in ("", *need.extras)):
            continue
        if name == "hiseg":
            needs += [line for each in need.extras for line in EXTRAS[each]]
        elif name not in found:
            found.add(name)
            asked = need.extras
            for line in importlib.metadata.requires(name) or ():
                marker = Requirement(line).marker
                if marker is None or any(marker.evaluate({"extra": each}) for each in ("", *asked)):
                    needs.append(line.partition(";")[0])
    return found


@pytest.mark.parametrize("extra", ALONE)
def test_an_extra_brings_all_that_it_needs(extra: str) -> None:
    """Some packages import what they don't ask for, and others happen to bring it."""
    there = brought_by(extra)
    missing = [
        module
        for module, packages in importlib.metadata.packages_distributions().items()
        if there.isdisjoint(map(canonicalize_name, packages)) and module not in ("hiseg", "hiseg_training")
    ]
    code = f"import sys\nfor name in {missing}: sys.modules.setdefault(name, None)\nimport " + ", ".join(ALONE[extra])
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_the_service_needs_comes_without_a_second_runtime(site: Path) -> None:
    assert extra_for("onnxruntime.capi") == extra_for("fastapi.responses") == extra_for("cv2") == "cpu"
    installed(site, "onnxruntime-gpu", "onnxruntime/__init__.py")
    assert extra_for("fastapi") == extra_for("pydantic") == "service"
    assert extra_for("json") is None


def test_extras_are_joined_without_a_second_runtime(site: Path) -> None:
    assert joined("video", "cpu", "cpu") == "cpu,video"
    assert joined("service", "training") == "training"
    installed(site, "onnxruntime-gpu", "onnxruntime/__init__.py")
    assert joined("cpu", "video") == "video"
    assert joined("cpu") == joined("service", "cpu") == "service"


def test_runtimes_are_what_brings_the_module(site: Path) -> None:
    assert installed_runtimes() == []
    (site / "half_removed-1.0.dist-info").mkdir()
    installed(site, "onnxruntime-extensions", "onnxruntime_extensions/__init__.py")
    installed(site, "onnxruntime", "onnxruntime/__init__.py", "onnxruntime/capi/x.so")
    installed(site, "onnxruntime_gpu", "onnxruntime/__init__.py")
    assert installed_runtimes() == ["onnxruntime", "onnxruntime-gpu"]


def test_a_runtime_that_lacks_files_is_named_with_the_repair(site: Path) -> None:
    installed(site, "hiseg")
    assert str(broken_runtime()).endswith(": pip install 'hiseg[cpu]'"), "what was left when all was removed"
    installed(site, "onnxruntime-gpu", "onnxruntime/__init__.py")
    assert str(broken_runtime()) == (
        "onnxruntime-gpu lacks files, as it does after a second build of it was removed; "
        "repair it: pip install --force-reinstall --no-deps onnxruntime-gpu"
    )
