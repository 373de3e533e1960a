"""``/v2``: the Open Inference Protocol around the same door, queue and engine as ``/v1/segment``.

One model is one of ours by its name. Its tensors are documented in ``docs/integrations.md``.
"""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from hiseg.core.errors import HisegError, Unavailable
from hiseg.core.result import ModelRef, Result
from hiseg.transports.http.desk import Desk, Manner, Visit
from hiseg.transports.http.kserve.infer import INPUTS, OUTPUTS, Inference, read_inference, tensors
from hiseg.transports.http.kserve.tensors import HEADER_LENGTH, TensorOut, join
from hiseg.transports.http.problems import STATUS, how_to_return, incident

OCTETS = "application/octet-stream"


def problem(error: HisegError) -> JSONResponse:
    """An error of ours in the protocol's form."""
    return JSONResponse({"error": error.detail}, STATUS[type(error)], how_to_return(error))


def bug() -> JSONResponse:
    """Any other error in the protocol's form; must be called while it is being handled."""
    text = f"a bug; the log has more under the id {incident()}"
    return JSONResponse({"error": text}, HTTPStatus.INTERNAL_SERVER_ERROR)


MANNER = Manner("kserve", problem, bug)


def router(desk: Desk) -> APIRouter:
    """The protocol's routes to a desk."""
    routes = APIRouter(prefix="/v2", tags=["open inference protocol"])
    segmenter = desk.segmenter

    def find(name: str, number: str = "") -> ModelRef | JSONResponse:
        """The model, or the answer that it isn't there."""
        for info in segmenter.models:
            if info.ref.name == name and number in ("", info.ref.version):
                return info.ref
        try:
            segmenter.admission.check_open()
        except Unavailable as error:
            return problem(error)
        known = ", ".join(f"{info.ref.name} ({info.ref.version})" for info in segmenter.models)
        wanted = f"model {name[:80]!r}" + (f", version {number[:20]!r}," if number else "")
        return JSONResponse({"error": f"{wanted} is not served; there is {known}"}, HTTPStatus.NOT_FOUND)

    @routes.get("")
    async def server() -> dict[str, Any]:
        """The server, and what it speaks beside the protocol itself."""
        return {"name": "hiseg", "version": version("hiseg"), "extensions": ["binary_tensor_data"]}

    @routes.get("/health/live")
    async def live() -> dict[str, bool]:
        """The process answers."""
        return {"live": True}

    @routes.get("/health/ready")
    async def ready() -> JSONResponse:
        """The process takes requests."""
        try:
            segmenter.check_ready()
        except Unavailable as error:
            return JSONResponse({"ready": False, "error": error.detail}, 503, how_to_return(error))
        return JSONResponse({"ready": True})

    @routes.get("/models/{name}")
    @routes.get("/models/{name}/versions/{number}")
    async def metadata(name: str, number: str = "") -> Response:
        """A model's tensors."""
        model = find(name, number)
        if isinstance(model, Response):
            return model
        described = {"name": name, "versions": [model.version], "platform": "hiseg"}
        return JSONResponse(described | {"inputs": INPUTS, "outputs": OUTPUTS})

    @routes.get("/models/{name}/ready")
    @routes.get("/models/{name}/versions/{number}/ready")
    async def model_ready(name: str, number: str = "") -> Response:
        """The model takes requests."""
        model = find(name, number)
        if isinstance(model, Response):
            return model
        try:
            segmenter.check_ready(name)
        except Unavailable as error:
            return problem(error)
        return JSONResponse({"name": name, "ready": True})

    @routes.post("/models/{name}/infer")
    @routes.post("/models/{name}/versions/{number}/infer")
    async def infer(request: Request, name: str, number: str = "") -> Response:
        """Masks for the people in the boxes."""
        model = find(name, number)
        if isinstance(model, Response):
            return model
        return await desk.attend(request, MANNER, read_inference, partial(answer, model=model))

    async def answer(asked: Inference, visit: Visit, model: ModelRef) -> Response:
        job = desk.job(visit, asked.image, asked.rows, asked.options, model)
        (made_by, found), timings = await desk.segment(job, visit, visit.place, outputs, quick=True)
        fields: dict[str, Any] = {
            "model_name": made_by.name,
            "model_version": made_by.version,
            "parameters": {f"{stage}_ms": milliseconds for stage, milliseconds in timings.items()},
        }
        if asked.id is not None:
            fields["id"] = asked.id
        body, header = join(fields, [(found[output], binary) for output, binary in asked.outputs.items()])
        if header is None:
            return Response(body, media_type="application/json")
        return Response(body, media_type=OCTETS, headers={HEADER_LENGTH: str(header)})

    return routes


def outputs(result: Result) -> tuple[ModelRef, dict[str, TensorOut]]:
    """What made a result, and its tensors by their names."""
    return result.model, tensors(result)
