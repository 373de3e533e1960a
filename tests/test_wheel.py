"""What who installs the wheel gets: in an empty environment and an empty folder, with ``[cpu]`` and without extras.

Packages come from the index, or pip's cache of it; where neither has them these tests are skipped.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import PIL.Image
import pytest

from benchmarks.harness.availability import missing
from benchmarks.harness.paths import ROOT, SAMPLE
from benchmarks.harness.serving import Server, serving

PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
CONSTRAINTS = ROOT / "constraints.txt"
MAX_MEGABYTES = 60
BOXES = ((22, 15, 365, 512), (526, 18, 949, 512))
BOX_OPTIONS = [part for box in BOXES for part in ("--box", ",".join(map(str, box)))]
COCO_FILE = {
    "images": [{"id": 7, "file_name": "photo.jpg", "width": 949, "height": 512}],
    "categories": [{"id": 1, "name": "person"}],
    "annotations": [
        {"id": number, "image_id": 7, "category_id": 1, "iscrowd": 0, "bbox": [x1, y1, x2 - x1, y2 - y1]}
        for number, (x1, y1, x2, y2) in enumerate(BOXES)
    ],
}
NOT_IN_A_PLAIN_INSTALL = ("onnxruntime", "fastapi", "uvicorn", "cv2", "simplejpeg", "torch")
PLAIN_IMPORTS = f"""
import importlib.util
print(*[name for name in {NOT_IN_A_PLAIN_INSTALL} if importlib.util.find_spec(name)])
"""
IN_PROCESS = f"""
from hiseg import segment
result = segment("photo.jpg", {BOXES})
print(*[person.area for person in result.instances])
"""
CLIENT = """
import sys
from hiseg import Client
boxes = {boxes}
for url in sys.argv[1:]:
    with Client(url) as client:
        result = client.segment("photo.jpg", boxes)
    assert [person.mask.sum() for person in result.instances] == [person.area for person in result.instances]
    print(*[person.area for person in result.instances])
try:
    result.overlay("photo.jpg")
except ImportError as error:
    print(error)
"""


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment with hiseg, and an empty folder to work in.

    Attributes:
        bin: where its programs are.
        folder: the working folder of what is run.
    """

    bin: Path
    folder: Path

    def run(self, program: str, *arguments: str | Path, expect: int = 0) -> str:
        """Run one of its programs; return what it printed, standard error after standard output."""
        done = subprocess.run(
            [self.bin / program, *arguments],
            cwd=self.folder,
            env=clean_variables(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == expect, done.stderr + done.stdout
        return done.stdout + done.stderr

    @property
    def megabytes(self) -> float:
        """Size of its files."""
        files = (path for path in self.bin.parent.rglob("*") if path.is_file() and not path.is_symlink())
        return sum(path.stat().st_size for path in files) / 1e6


def clean_variables() -> dict[str, str]:
    """Variables of a user who has nothing of this checkout on any path, measures no coverage, and compiles once."""
    ours = ("PYTHONPATH", "VIRTUAL_ENV", "COVERAGE_PROCESS_CONFIG", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if name not in ours and not name.startswith("HISEG_")}


def make_environment(folder: Path, requirement: str) -> Environment:
    """Install a requirement into an environment of its own.

    Raises:
        AssertionError: pip failed, though the index can be reached.
        SkipTest: the index can't be reached.
    """
    place = folder / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    (folder / "empty").mkdir()
    # Compiling all of it takes longer than compiling what is imported.
    options = ("--no-compile", "--retries", "1", "--constraint", CONSTRAINTS)
    done = subprocess.run(
        [*PIP, "--python", place / "bin" / "python", "install", *options, requirement],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reach = [*PIP, "download", "--retries", "1", "--no-deps", "--dest", folder / "reach", "typer"]
        if subprocess.run(reach, capture_output=True, check=False).returncode:
            missing("the package index can't be reached, so the wheel can't be installed with what it needs")
    assert done.returncode == 0, done.stderr
    return Environment(place / "bin", folder / "empty")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [*PIP, "wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", folder, ROOT], check=True
    )
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def environments(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Environment, Environment]:
    """The wheel with ``[cpu]``, and the wheel alone; both are made at once."""
    folders = [tmp_path_factory.mktemp(name) for name in ("cpu", "plain")]
    with ThreadPoolExecutor(2) as executor:
        cpu, plain = executor.map(make_environment, folders, (f"{wheel}[cpu]", str(wheel)))
    for environment in (cpu, plain):
        shutil.copy(SAMPLE, environment.folder / "photo.jpg")
        (environment.folder / "boxes.json").write_text(json.dumps(COCO_FILE))
    return cpu, plain


@pytest.fixture(scope="module")
def cpu(environments: tuple[Environment, Environment]) -> Environment:
    return environments[0]


@pytest.fixture(scope="module")
def plain(environments: tuple[Environment, Environment]) -> Environment:
    return environments[1]


@pytest.fixture(scope="module")
def server(cpu: Environment) -> Iterator[Server]:
    """``hiseg serve`` of the environment with ``[cpu]``, started in the empty folder."""
    ours = [part for name in os.environ.keys() - clean_variables().keys() for part in ("-u", name)]
    command = ("env", *ours, cpu.bin / "hiseg", "serve", "--port", "0", "--grpc-port", "0")
    with serving(command, folder=cpu.folder) as running:
        yield running


@pytest.fixture(scope="module")
def areas(cpu: Environment) -> list[int]:
    """Pixels of both people, as ``hiseg run`` finds them with the model that came in the wheel."""
    cpu.run("hiseg", "run", "photo.jpg", *BOX_OPTIONS, "-o", "drawn.png", "--json", "answer.json")
    with PIL.Image.open(cpu.folder / "drawn.png") as drawn, PIL.Image.open(SAMPLE) as photo:
        assert drawn.size == photo.size
    answer = json.loads((cpu.folder / "answer.json").read_text())
    return [person["area"] for person in answer["instances"]]


def test_the_wheel_has_the_models_without_checkpoints_and_stays_small(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        models = {name for name in archive.namelist() if name.startswith("hiseg/model_repository/")}
    published = {path.relative_to(ROOT).as_posix() for path in (ROOT / "model_repository").glob("*/*/*.onnx")}
    assert {name for name in models if name.endswith(".onnx")} == {f"hiseg/{name}" for name in published}
    assert not {name for name in models if "checkpoint" in name}
    assert wheel.stat().st_size < MAX_MEGABYTES * 1e6


def test_sizes(wheel: Path, cpu: Environment, plain: Environment, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is imported: what Python compiles comes on top."""
    with capsys.disabled():
        print(
            f"\nMB: wheel {wheel.stat().st_size / 1e6:.0f}, installed with [cpu] {cpu.megabytes:.0f}, "
            f"without extras {plain.megabytes:.0f}"
        )
    assert plain.megabytes < cpu.megabytes / 2


def test_a_plain_install_brings_the_client_alone(plain: Environment) -> None:
    assert plain.run("python", "-c", PLAIN_IMPORTS).split() == []
    assert plain.run("hiseg", "--version") == f"hiseg {version()}\n"
    told = plain.run("hiseg", "serve", expect=2)
    assert told.startswith("hiseg serve needs packages that aren't installed: ")
    assert "hiseg[cpu] @ file://" in told
    assert told.count("\n") == 1


def test_the_command_line_of_an_install_for_the_cpu(cpu: Environment, areas: list[int]) -> None:
    assert all(area > 50_000 for area in areas)
    assert cpu.run("hiseg", "--version") == f"hiseg {version()}\n"
    assert "site-packages/hiseg/model_repository" in cpu.run("hiseg", "models").splitlines()[0]
    cpu.run("hiseg", "annotate", "boxes.json", "--images", ".", "-o", "masks.json")
    assert areas_in(cpu.folder / "masks.json") == areas


def test_masks_in_one_line_of_python(cpu: Environment, plain: Environment, areas: list[int]) -> None:
    assert cpu.run("python", "-c", IN_PROCESS).split() == [str(area) for area in areas]
    last = plain.run("python", "-c", IN_PROCESS, expect=1).splitlines()[-1]
    assert "ExtraMissing: running models here needs packages that aren't installed: " in last
    assert "hiseg[cpu] @ file://" in last


def test_a_client_of_the_plain_install_asks_the_service_of_the_other(
    server: Server, plain: Environment, areas: list[int]
) -> None:
    script = CLIENT.format(boxes=BOXES)
    http, grpc, told = plain.run("python", "-c", script, server.url, server.grpc).splitlines()
    assert http == grpc == " ".join(map(str, areas))
    assert told.startswith("overlay() needs packages that aren't installed: ")


def test_commands_of_the_plain_install_ask_a_server(server: Server, plain: Environment, areas: list[int]) -> None:
    plain.run("hiseg", "run", "photo.jpg", *BOX_OPTIONS, "--server", server.grpc, "--json", "answer.json")
    assert [person["area"] for person in json.loads((plain.folder / "answer.json").read_text())["instances"]] == areas
    plain.run("hiseg", "annotate", "boxes.json", "--images", ".", "--server", server.url, "-o", "masks.json")
    assert areas_in(plain.folder / "masks.json") == areas


def areas_in(coco_file: Path) -> list[int]:
    return [annotation["area"] for annotation in json.loads(coco_file.read_text())["annotations"]]


def version() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return str(project["version"])
