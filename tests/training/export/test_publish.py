"""From a checkpoint to a version that a service takes over, on a data set of one photograph."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import PIL.Image
import pytest
import torch
from pycocotools import mask as coco_mask
from typer.testing import CliRunner

from benchmarks.harness.paths import PUBLISHED, SAMPLE, SAMPLE_BOXES
from benchmarks.harness.repository import B0, REPOSITORY
from benchmarks.harness.serving import SERVE, serving
from hiseg.models.repository import stored_versions
from hiseg_training.cli.main import app
from hiseg_training.engine.checkpoints import load_checkpoint
from hiseg_training.export import publish as publishing
from hiseg_training.export import write as writing
from hiseg_training.export.card import NOT_SAID
from hiseg_training.export.onnx import ExportOptions, read_metadata, write_metadata
from hiseg_training.models.hierarchical import HierarchicalModel
from tests.service.models.test_reload import Callers, until

WIDTH, HEIGHT = 237, 128


@pytest.fixture(scope="module")
def one_photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample photo, a quarter as large, as `val` and `ood`, its boxes filled for masks."""
    root = tmp_path_factory.mktemp("data")
    annotations = []
    for number, (x1, y1, x2, y2) in enumerate((np.array(SAMPLE_BOXES) // 4).tolist(), 1):
        mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8, order="F")
        mask[int(y1) : int(y2), int(x1) : int(x2)] = 1
        rle = coco_mask.encode(mask)
        segmentation = {"size": rle["size"], "counts": rle["counts"].decode()}
        box = [x1, y1, x2 - x1, y2 - y1]
        annotation = {
            "id": number,
            "image_id": 1,
            "category_id": 1,
            "iscrowd": 0,
            "bbox": box,
            "area": float(mask.sum()),
        }
        annotations.append(annotation | {"segmentation": segmentation})
    image = {"id": 1, "file_name": "people.jpg", "width": WIDTH, "height": HEIGHT, "source": "COCO 2017"}
    categories = [{"id": 1, "name": "person"}]
    content = {"images": [image | {"exhaustive": True}], "annotations": annotations, "categories": categories}
    (root / "annotations").mkdir()
    for split in ("val", "ood"):
        (root / "images" / split).mkdir(parents=True)
        with PIL.Image.open(SAMPLE) as picture:
            picture.resize((WIDTH, HEIGHT)).save(root / "images" / split / "people.jpg")
        (root / "annotations" / f"instances_{split}_person_only_no_crowd.json").write_text(json.dumps(content))
    return root


def test_published_during_load_and_no_request_fails(
    one_photo: Path, tmp_path: Path, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "speed", lambda _: {"1 person": 1.0})  # stands for ten seconds of timing
    repository = Path(shutil.copytree(REPOSITORY, tmp_path / "models"))
    arguments = ["publish", str(B0), "--name", "hiseg_b0", "--repository", str(repository), "--data", str(one_photo)]
    with serving((*SERVE[:-1], repository)) as server:
        callers = Callers(server.url, photo)
        with callers.asking():
            until(lambda: callers.answered_by("1"), "an answer of version 1")
            done = CliRunner().invoke(app, arguments)
            assert done.exit_code == 0, done.output
            until(lambda: callers.answered_by("2"), "an answer of version 2")
        (model,) = httpx.get(server.url + "/v1/models").json()["models"]
        assert model["version"] == "2"
    assert {status for status, _ in callers.answers} == {200}
    version = repository / "hiseg_b0" / "2"
    assert {path.name for path in version.iterdir()} == {
        *("model.onnx", "canary.jpg", "canary.json", "canary.png", "MODEL_CARD.md", "metrics.json")
    }
    metrics = json.loads((version / "metrics.json").read_text())
    assert metrics["quality"]["val"]["people"] == 2
    card = (repository / "hiseg_b0" / "MODEL_CARD.md").read_text()
    assert card.startswith("# hiseg_b0, version 2")
    assert f"## Training\n\n{NOT_SAID}\n\n## Terms\n\n{NOT_SAID}\n" in card
    again = CliRunner().invoke(app, [*arguments, "--version", "2"])
    assert again.exit_code == 2
    assert "version 2 of hiseg_b0 exists; publish version 3" in again.output


def test_annotations_are_read_before_the_export(
    one_photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exported(*_: object) -> None:
        raise AssertionError("an export takes minutes")

    monkeypatch.setattr(publishing, "write_model", exported)
    data = Path(shutil.copytree(one_photo, tmp_path / "data"))
    file = data / "annotations" / "instances_ood_person_only_no_crowd.json"
    checkpoint = stored_versions(PUBLISHED)["hiseg_b0"][0].path.with_name("checkpoint.pth")
    arguments = ["publish", str(checkpoint), "--name", "new", "--repository", str(tmp_path), "--data", str(data)]
    for change, said in (
        ({"segmentation": [[1, 2, 3]]}, "annotations[1] (id 2): segmentation [0] has 3 numbers"),
        ({"segmentation": [[1, 2, 3, 4]]}, "in none of its images has everybody an outline"),
    ):
        content = json.loads(file.read_text())
        content["annotations"][1] |= change
        file.write_text(json.dumps(content))
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 2
        assert f"error: {file}: {said}" in done.output.splitlines()[-1]


def test_a_checkpoint_is_published_in_half_precision_with_its_weights(
    one_photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "speed", lambda _: {"1 person": 1.0})  # stands for ten seconds of timing
    arguments = ["--name", "hiseg_b0", "--repository", str(tmp_path), "--data", str(one_photo), "--precision", "fp16"]
    refused = CliRunner().invoke(app, ["publish", str(B0), *arguments])
    assert refused.exit_code == 2
    assert "precision" in refused.output
    assert not list(tmp_path.iterdir())
    checkpoint = stored_versions(PUBLISHED)["hiseg_b0"][0].path.with_name("checkpoint.pth")

    def exported(model: HierarchicalModel, path: Path, metadata: dict[str, Any], form: ExportOptions) -> float:
        """Stands for a quarter of a minute of export: the published file is that of the checkpoint."""
        shutil.copy(B0, path)
        write_metadata(path, metadata)
        return 1e-6

    monkeypatch.setattr(writing, "export_onnx", exported)
    origin = tmp_path / "origin.toml"
    fields = ("licence", "training_data", "training", "terms", "limits")
    origin.write_text("".join(f'{field} = "the {field} of this one"\n' for field in fields))
    done = CliRunner().invoke(app, ["publish", str(checkpoint), *arguments, "--provenance", str(origin)])
    assert done.exit_code == 0, done.output
    version = tmp_path / "hiseg_b0" / "1"
    assert (version / "model.onnx").stat().st_size < 0.6 * B0.stat().st_size
    assert json.loads((version / "metrics.json").read_text())["precision"] == "fp16"
    card = (version / "MODEL_CARD.md").read_text()
    assert "FP16 |" in card
    assert all(f"the {field} of this one" in card for field in ("training", "terms", "limits"))
    assert read_metadata(version / "model.onnx")["licence"] == "the licence of this one"
    kept, given = (load_checkpoint(path).state_dict() for path in (version / "checkpoint.pth", checkpoint))
    assert all(torch.equal(kept[name], value) for name, value in given.items())
