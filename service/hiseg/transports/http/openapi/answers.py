"""What routes answer, as OpenAPI documents it; the routes themselves write plain dictionaries."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from hiseg.api.boxes import BoxFormat
from hiseg.api.encoding import MaskFormat
from hiseg.core.job import Mode, Priority, Smoothing
from hiseg.core.reasons import Reason


class Answer(BaseModel):
    """Base of the answers; newer services may answer more."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class Problem(Answer):
    """Why a request was refused (RFC 9457)."""

    type: str
    """Always `about:blank`; `reason` says which problem it is."""
    title: str
    """The kind of problem, for people."""
    status: int
    """The HTTP status."""
    reason: Reason
    """The problem in one stable word, for programs."""
    detail: str
    """What is wrong, in one sentence, for people."""
    field: str | None = None
    """The part of the request at fault, e.g. `boxes[2]`."""
    limit: Any = None
    """The limit that was exceeded, or what is taken instead."""
    value: Any = None
    """What was sent."""
    id: str | None = None
    """Of `INTERNAL_ERROR`: the id under which the service's log has more."""


class Health(Answer):
    """The process answers."""

    status: Literal["ok"]


class Ready(Answer):
    """Requests are taken."""

    status: Literal["ready"]
    engines: dict[str, str]
    """What runs each model now: `onnx`, `triton` or `onnx-fallback`."""


class Info(Answer):
    """What can be asked for, and every limit in force."""

    version: str
    models: list[str]
    """Names of the models."""
    variants: list[str]
    model_of_variant: dict[str, str]
    """Name of the model that answers for a variant; one that shares its variant with it is asked for by its name."""
    precision_of_model: dict[str, str]
    """What each model's weights are stored in: `fp32`, `fp16` or `int8`; empty if that isn't known."""
    default_model: str
    """Name of the model that answers a request which asks for none; empty while the service starts."""
    default_variant: str
    """Variant of that model."""
    foreground_model: str
    """Name of the model that gives the foreground of an image, `mode=binary` without boxes, where the one that is asked
    for gives masks alone; empty if there is none."""
    finder_model: str
    """Name of the model that finds the people in an image; empty if there is none."""
    image_types: list[str]
    priorities: list[Priority]
    modes: list[Mode]
    mask_formats: list[MaskFormat]
    box_formats: list[BoxFormat]
    smoothings: list[Smoothing]
    palette: list[str]
    """Colours of people in overlays, in turn."""
    overlay_opacity: float
    limits: dict[str, float]
    """By name; the unit is the end of the name where it isn't a plain number."""


class ModelDescription(Answer):
    """A model as its own file describes it."""

    name: str
    version: str
    variant: str
    answers_for_variant: bool
    """Whether this model answers requests for its variant; if several are of it, the others answer to their names."""
    engine: str
    precision: str
    """Of its weights: `fp32`, `fp16` or `int8`; empty if that isn't known."""
    outputs: list[Literal["masks", "foreground", "boxes"]]
    """What the model computes; one without masks answers `mode=binary` alone, and is asked for by its name."""
    canvases: list[list[int]]
    """`[height, width]` that the model runs at."""
    mask_size: list[int] | None = None
    """`[height, width]` of one person's mask before it is brought to the image's size; left out without masks."""
    mask_extent: float | None = None
    """Side of the area that a mask covers, as a multiple of the box's side; left out without masks."""
    card: dict[str, Any]
    """Licence, training data, metrics and more."""


class Models(Answer):
    """The models served."""

    models: list[ModelDescription]


class KserveError(Answer):
    """An error as the Open Inference Protocol has it, with our reason beside it."""

    error: str
    reason: Reason


class KserveServer(Answer):
    """The server's metadata."""

    name: str
    version: str
    extensions: list[str]


class KserveLive(Answer):
    """The process answers."""

    live: bool


class KserveReady(Answer):
    """Requests are taken."""

    ready: bool


class KserveTensor(Answer):
    """A tensor of a model."""

    name: str
    datatype: str
    shape: list[int]


class KserveModel(Answer):
    """A model's tensors."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[KserveTensor]
    outputs: list[KserveTensor]


class KserveModelReady(Answer):
    """The model takes requests."""

    name: str
    ready: bool


class KserveOutput(Answer):
    """An output tensor; its data is behind the JSON if it is binary."""

    name: str
    datatype: str
    shape: list[int]
    data: list[Any] | None = None


class KserveInferred(Answer):
    """The answer to an inference request."""

    model_name: str
    model_version: str
    id: str | None = None
    parameters: dict[str, float | str]
    """Milliseconds of each stage, e.g. `infer_ms`, and `notes` if there are any."""
    outputs: list[KserveOutput]


class KserveModels(Answer):
    """Names of the models."""

    models: list[str]


class KserveState(Answer):
    """Whether a model takes requests."""

    name: str
    version: str
    state: Literal["READY", "UNAVAILABLE"]
    reason: str | None = None
    """Why it is `UNAVAILABLE`."""


class KserveConfigTensor(Answer):
    """A tensor in the form of Triton's configurations."""

    name: str
    data_type: str
    dims: list[int]
    optional: bool | None = None


class KserveConfig(Answer):
    """A model's configuration."""

    name: str
    platform: str
    backend: str
    max_batch_size: int
    version_policy: dict[str, Any] | None = None
    input: list[KserveConfigTensor]
    output: list[KserveConfigTensor]


class KserveModelStatistics(Answer):
    """What has been counted of a model since the service started."""

    name: str
    version: str
    inference_count: int
    execution_count: int
    inference_stats: dict[str, dict[str, int]]
    """Count and nanoseconds by what was done."""
    batch_stats: list[dict[str, Any]]


class KserveStatistics(Answer):
    """Statistics of models."""

    model_stats: list[KserveModelStatistics]


class LabelStudioHealth(Answer):
    """Requests are taken."""

    status: str


class LabelStudioSetup(Answer):
    """The model that answers the project's requests."""

    model_version: str


class LabelStudioVersions(Answer):
    """The models that can be asked for."""

    versions: list[str]


class LabelStudioPrediction(Answer):
    """The brush masks of a task."""

    result: list[dict[str, Any]]
    """Regions as Label Studio stores them."""


class LabelStudioPredictions(Answer):
    """The predictions of all tasks, in their order."""

    results: list[LabelStudioPrediction]
