"""The HTTP application: segmentation, models, limits, health, metrics, documentation."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from prometheus_client import CONTENT_TYPE_LATEST
from swagger_ui_bundle import swagger_ui_path

from service.answer import MaskFormat
from service.boxes import BoxFormat
from service.domain import Mode
from service.engines.base import ModelInfo
from service.errors import Unavailable
from service.images import MEDIA_TYPES
from service.segmenter import Segmenter
from service.settings import Settings
from service.telemetry import Metrics
from service.transports.http import problems, segment
from service.transports.http.body import BodyLimit


def create_http(segmenter: Segmenter, settings: Settings, metrics: Metrics) -> FastAPI:
    """The application around a segmenter; starts and stops nothing itself."""
    app = FastAPI(title="hiseg", summary="One mask per person", version=version("hiseg"), docs_url=None, redoc_url=None)
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    problems.install(app)
    app.include_router(segment.router(segmenter, settings, metrics))
    app.mount("/docs/assets", StaticFiles(directory=swagger_ui_path), name="docs-assets")

    @app.get("/", include_in_schema=False)
    def root() -> RedirectResponse:
        return RedirectResponse("docs")

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        """Swagger UI from this service's own files: it works without any other host."""
        return get_swagger_ui_html(
            openapi_url="openapi.json",
            title="hiseg",
            swagger_js_url="docs/assets/swagger-ui-bundle.js",
            swagger_css_url="docs/assets/swagger-ui.css",
            swagger_favicon_url="docs/assets/favicon-32x32.png",
        )

    @app.get("/healthz", tags=["operations"])
    async def healthz() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @app.get("/readyz", tags=["operations"])
    async def readyz() -> dict[str, str]:
        """The process takes requests: its models are loaded and have run once."""
        if segmenter.admission.draining:
            raise Unavailable("the service is shutting down")
        return {"status": "ready"}

    @app.get("/metrics", tags=["operations"], response_class=Response)
    async def exposition() -> Response:
        """Prometheus metrics."""
        return Response(metrics.exposition(), media_type=CONTENT_TYPE_LATEST)

    @app.get("/v1/models", tags=["about"])
    async def models() -> dict[str, list[dict[str, Any]]]:
        """The models served, as they describe themselves."""
        return {"models": [_model(info) for info in segmenter.models]}

    @app.get("/v1/info", tags=["about"])
    async def info() -> dict[str, Any]:
        """Version, what can be asked for, and every limit in force."""
        return {
            "version": version("hiseg"),
            "variants": sorted(model.ref.variant for model in segmenter.models),
            "default_variant": settings.default_variant,
            "image_types": list(MEDIA_TYPES),
            "modes": list(Mode),
            "mask_formats": list(MaskFormat),
            "box_formats": list(BoxFormat),
            "limits": {
                "image_bytes": settings.max_image_bytes,
                "image_pixels": settings.max_image_pixels,
                "body_bytes": settings.max_body_bytes,
                "boxes": settings.max_boxes,
                "jobs": settings.max_jobs,
                "default_deadline_ms": settings.default_deadline_ms,
            },
        }

    return app


def _model(info: ModelInfo) -> dict[str, Any]:
    return {
        "name": info.ref.name,
        "version": info.ref.version,
        "variant": info.ref.variant,
        "canvases": [list(canvas) for canvas in info.canvases],
        "mask_size": list(info.mask_size),
        "card": info.card,
    }
