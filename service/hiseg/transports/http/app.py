"""The HTTP application: segmentation, models, limits, health, metrics, documentation, the playground."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi_offline import FastAPIOffline
from prometheus_client import CONTENT_TYPE_LATEST

from hiseg.access.key_store import KeyStore
from hiseg.api.boxes import BoxFormat
from hiseg.api.encoding import MaskFormat
from hiseg.api.options import MOST_DILATION_PX
from hiseg.core.job import Mode, Priority, Smoothing
from hiseg.images.encoded import MEDIA_TYPES
from hiseg.masks.draw import MOST_MASK_PIXELS
from hiseg.masks.formats.cutout import MAX_CUTOUT_PIXELS
from hiseg.masks.formats.overlay import OPACITY, PALETTE
from hiseg.masks.formats.polygon import MOST_TOLERANCE_PX
from hiseg.observability.metrics import Metrics
from hiseg.segmenter import Segmenter
from hiseg.settings import Settings
from hiseg.transports.http import problems, segment
from hiseg.transports.http.desk import Desk
from hiseg.transports.http.guard import AuthMiddleware
from hiseg.transports.http.journal import AccessLogMiddleware
from hiseg.transports.http.kserve import routes as kserve
from hiseg.transports.http.label_studio import routes as label_studio
from hiseg.transports.http.playground import page


def create_http(segmenter: Segmenter, settings: Settings, metrics: Metrics, key_store: KeyStore) -> FastAPI:
    """The application around a segmenter; starts and stops nothing itself."""
    # Swagger UI from files of our own: the page works where no other host can be reached.
    app = FastAPIOffline(
        title="hiseg",
        summary="One mask per person",
        version=version("hiseg"),
        redoc_url=None,
        static_url="/docs/assets",
    )
    problems.install(app)
    app.add_middleware(AuthMiddleware, key_store=key_store, metrics=metrics)
    if settings.cors_origins:
        # Around the guard: browsers ask first whether they may, without a key.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key", "X-Request-ID"],
            expose_headers=["Retry-After", "Server-Timing", "X-Request-ID"],
        )
    app.add_middleware(AccessLogMiddleware)
    desk = Desk(segmenter, settings, metrics)
    for face in (segment, kserve, label_studio):
        app.include_router(face.router(desk))

    app.include_router(page.router())

    @app.get("/healthz", tags=["operations"])
    async def healthz() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @app.get("/readyz", tags=["operations"])
    async def readyz() -> dict[str, Any]:
        """The process takes requests: its models gave the masks that they should, and an engine answers.

        `engines` says what runs each model now; see `model.engine` of an answer.
        """
        segmenter.check_ready()
        engines = {info.ref.name: info.ref.engine for info in segmenter.models}
        return {"status": "ready", "engines": engines}

    @app.get("/metrics", tags=["operations"], response_class=Response)
    async def exposition() -> Response:
        """Prometheus metrics."""
        return Response(metrics.exposition(), media_type=CONTENT_TYPE_LATEST)

    @app.get("/v1/models", tags=["about"])
    async def models() -> dict[str, list[dict[str, Any]]]:
        """The models served, as they describe themselves."""
        return {"models": [info.describe() for info in segmenter.models]}

    @app.get("/v1/info", tags=["about"])
    async def info() -> dict[str, Any]:
        """Version, what can be asked for, and every limit in force."""
        return {
            "version": version("hiseg"),
            "variants": sorted(model.ref.variant for model in segmenter.models),
            "default_variant": settings.default_variant,
            "image_types": list(MEDIA_TYPES),
            "priorities": list(Priority),
            "modes": list(Mode),
            "mask_formats": list(MaskFormat),
            "box_formats": list(BoxFormat),
            "smoothings": list(Smoothing),
            "palette": list(PALETTE),
            "overlay_opacity": OPACITY,
            "limits": {
                "image_bytes": settings.max_image_bytes,
                "image_pixels": settings.max_image_pixels,
                "body_bytes": settings.max_body_bytes,
                "boxes": settings.max_boxes,
                "dilation_px": MOST_DILATION_PX,
                "tolerance_px": MOST_TOLERANCE_PX,
                "mask_pixels": MOST_MASK_PIXELS,
                "cutout_pixels": MAX_CUTOUT_PIXELS,
                "held_bytes": settings.max_held_bytes,
                "wait_ms": settings.max_wait_ms,
                "batch_budget_ms": settings.batch_budget_ms,
                "batch_images": settings.max_batch_images,
                "batch_boxes": settings.max_batch_boxes,
                "batch_bytes": settings.max_batch_bytes,
                "body_seconds": settings.body_timeout_seconds,
                "drain_seconds": settings.drain_seconds,
                "default_deadline_ms": settings.default_deadline_ms,
            },
        }

    return app
