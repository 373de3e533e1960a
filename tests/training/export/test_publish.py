"""From a checkpoint to a version that a service takes over, on a data set of one photograph."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import PIL.Image
import pytest
import torch
from pycocotools import mask as coco_mask
from typer.testing import CliRunner

from benchmarks.harness.paths import SAMPLE, SAMPLE_BOXES
from benchmarks.harness.repository import B0, REPOSITORY
from benchmarks.harness.serving import SERVE, serving
from hiseg.engines.base import Outputs
from hiseg.models.canary import Canary
from hiseg_training.cli.main import app
from hiseg_training.config.model import ModelConfig
from hiseg_training.engine.checkpoints import load_checkpoint, save_checkpoint
from hiseg_training.export import int8
from hiseg_training.export import publish as publishing
from hiseg_training.export import write as writing
from hiseg_training.export.card import NOT_SAID
from hiseg_training.export.onnx import ExportOptions, read_metadata, write_metadata
from hiseg_training.export.publish import record_canary
from hiseg_training.inference.runner import Runner
from hiseg_training.models.hierarchical import HierarchicalModel
from tests.service.engines.upstream_files import UpstreamFile
from tests.service.models.test_reload import Callers, models, until

WIDTH, HEIGHT = 237, 128


def a_person_takes_a_millisecond(runners: Mapping[str, Runner]) -> dict[str, dict[str, float]]:
    """Stands for ten seconds of timing."""
    return {name: {"1 person": 1.0} for name in runners}


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
    monkeypatch.setattr(int8, "speed", a_person_takes_a_millisecond)
    repository = Path(shutil.copytree(REPOSITORY, tmp_path / "models"))
    arguments = ["publish", str(B0), "--name", "hiseg_b0", "--repository", str(repository), "--data", str(one_photo)]
    with serving((*SERVE[:-1], repository)) as server:
        callers = Callers(server.url, photo)
        with callers.asking():
            until(lambda: callers.answered_by("1"), "an answer of version 1")
            done = CliRunner().invoke(app, arguments)
            assert done.exit_code == 0, done.output
            until(lambda: callers.answered_by("2"), "an answer of version 2")
        assert models(server)["hiseg_b0"] == "2"
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


def test_the_canary_of_a_model_without_masks_has_no_boxes(tmp_path: Path) -> None:
    model = UpstreamFile(canvas=(96, 128), outputs=Outputs.FOREGROUND).save(tmp_path / "everybody" / "1" / "model.onnx")
    asyncio.run(record_canary(model, "everybody", 1, []))
    canary = Canary.load(model.parent)
    assert canary is not None
    assert (canary.boxes, canary.masks.shape) == ([], (512, 949))
    assert set(np.unique(canary.masks)) <= {0, 1}


@pytest.fixture
def own(one_photo: Path, tmp_path: Path) -> Path:
    """The photo as `people.json` and `pictures`, in which people are called Human: somebody's own data."""
    root = tmp_path / "own"
    shutil.copytree(one_photo / "images" / "val", root / "pictures")
    content = json.loads((one_photo / "annotations" / "instances_val_person_only_no_crowd.json").read_text())
    content["categories"][0]["name"] = "Human"
    (root / "people.json").write_text(json.dumps(content))
    return root


def asked(own: Path, **changed: object) -> list[str]:
    """Options of a publication as `my_model`, measured on `own`; ``val_ann=None`` leaves that one out."""
    options: dict[str, object] = {
        "name": "my_model",
        "repository": own.parent / "models",
        "val_ann": own / "people.json",
    }
    options |= {"val_images": own / "pictures", "category": "human"} | changed
    return [str(word) for name, value in options.items() if value is not None for word in (f"--{name}", value)]


def broken(own: Path, name: str, change: dict[str, Any]) -> Path:
    """A copy of the annotations whose second person is changed."""
    content = json.loads((own / "people.json").read_text())
    content["annotations"][1] |= change
    path = own / name
    path.write_text(json.dumps(content))
    return path


def test_all_that_is_given_is_checked_before_the_export(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exported(*_: object) -> None:
        raise AssertionError("an export takes minutes")

    monkeypatch.setattr(publishing, "write_model", exported)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HISEG_DATA", raising=False)
    checkpoint = tmp_path / "best.pth"
    save_checkpoint(checkpoint, HierarchicalModel(ModelConfig(fine_widths=(8,) * 4, coarse_widths=(8,) * 4)), {})
    other = Path(shutil.copytree(REPOSITORY, tmp_path / "other"))
    (tmp_path / "file").touch()
    (tmp_path / "nowhere").symlink_to("gone")
    people = own / "people.json"
    cases: list[tuple[dict[str, object], str]] = [
        (
            {"val_ann": None, "val_images": None},
            "instances_val_person_only_no_crowd.json does not exist; name a COCO file",
        ),
        ({"val_ann": None}, "val_images: "),
        ({"val_ann": own / "none.json"}, f"{own / 'none.json'} does not exist"),
        ({"val_images": own / "none"}, f"{own / 'none'}, where the images of {people} should be, is no folder"),
        ({"val_images": other}, "people.jpg, which"),
        ({"category": "person"}, "no category is named 'person', but there is 'Human'"),
        (
            {"ood_ann": broken(own, "a.json", {"segmentation": [[1, 2, 3]]})},
            "annotations[1] (id 2): segmentation [0] has 3",
        ),
        ({"ood_ann": broken(own, "b.json", {"segmentation": []})}, "in none of its images has everybody an outline"),
        ({"name": "my model"}, "name: 'my model' is not 1 to 100 letters"),
        ({"name": "../up"}, "name: '../up' is not"),
        ({"repository": tmp_path / "file"}, f"repository: {tmp_path / 'file'} is no folder"),
        ({"repository": tmp_path / "nowhere"}, f"repository: {tmp_path / 'nowhere'} is no folder"),
        ({"repository": tmp_path / "file" / "below"}, f"repository: this user can't write into {tmp_path / 'file'}"),
        ({"repository": other, "name": "hiseg_b0", "version": 1}, "version 1 of hiseg_b0 exists; publish version 2"),
        ({"precision": "int8"}, "precision: model.onnx is fp32 or fp16; int8 is made beside it"),
        ({"train_ann": people, "train_images": own / "pictures"}, "on 4 photos or more, not 1"),
        ({"provenance": people}, f"{people}: "),
    ]
    before = sorted(path for path in tmp_path.rglob("*"))
    for changed, said in cases:
        done = CliRunner().invoke(
            app,
            [
                "publish",
                str(checkpoint),
                *asked(own, ood_images=own / "pictures" if "ood_ann" in changed else None, **changed),
            ],
        )
        assert done.exit_code == 2, (changed, done.output)
        assert said in done.output.splitlines()[-1], (changed, done.output)
        assert done.output.splitlines()[-1].startswith("error: ")
    large = tmp_path / "large.pth"
    save_checkpoint(large, HierarchicalModel(ModelConfig(mask_size=(160, 120), fine_widths=(8,) * 4)), {})
    done = CliRunner().invoke(app, ["publish", str(large), *asked(own, repository=other, name="hiseg_b0")])
    assert done.exit_code == 2
    assert "mask_size is (160, 120), and (128, 96) in version 1 of hiseg_b0" in done.output
    large.unlink()
    assert sorted(path for path in tmp_path.rglob("*")) == before


def test_ones_own_checkpoint_is_published_in_half_precision_with_its_weights(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(int8, "speed", a_person_takes_a_millisecond)
    monkeypatch.setenv("HISEG_MAX_IMAGE_PIXELS", "1000")  # of some service, which isn't asked for its canary
    arguments = [*asked(own), "--precision", "fp16"]
    refused = CliRunner().invoke(app, ["publish", str(B0), *arguments])
    assert refused.exit_code == 2
    assert "precision" in refused.output
    assert not (tmp_path / "models").exists()
    checkpoint = tmp_path / "own.pth"
    model = HierarchicalModel(ModelConfig(fine_widths=(8,) * 4, coarse_widths=(8,) * 4))
    save_checkpoint(checkpoint, model, {}, half=True)

    def exported(model: HierarchicalModel, path: Path, metadata: dict[str, Any], form: ExportOptions) -> float:
        """Stands for a quarter of a minute of export."""
        shutil.copy(B0, path)
        write_metadata(path, metadata)
        return 1e-6

    monkeypatch.setattr(writing, "export_onnx", exported)
    origin = tmp_path / "origin.toml"
    fields = ("licence", "training_data", "training", "terms", "limits")
    origin.write_text("".join(f'{field} = "the {field} of this one"\n' for field in fields))
    done = CliRunner().invoke(app, ["publish", str(checkpoint), *arguments, "--provenance", str(origin)])
    assert done.exit_code == 0, done.output
    version = tmp_path / "models" / "my_model" / "1"
    stored = {len(each.raw_data): each.data_type for each in onnx.load(version / "model.onnx").graph.initializer}
    assert stored[max(stored)] == onnx.TensorProto.FLOAT16
    assert json.loads((version / "metrics.json").read_text())["precision"] == "fp16"
    card = (version / "MODEL_CARD.md").read_text()
    assert "FP16 |" in card
    assert "`val` is `people.json`: 2 people in 1 image." in card
    assert "ood" not in card
    assert all(f"the {field} of this one" in card for field in ("training", "terms", "limits"))
    assert read_metadata(version / "model.onnx")["licence"] == "the licence of this one"
    kept, given = (load_checkpoint(path).state_dict() for path in (version / "checkpoint.pth", checkpoint))
    assert all(torch.equal(kept[name], value) for name, value in given.items())
