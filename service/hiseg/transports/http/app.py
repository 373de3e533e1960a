"""The HTTP application: segmentation, models, limits, health, metrics, documentation, the playground."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Response
from fastapi.middleware.cors import CORSMiddleware
from prometheus_client import CONTENT_TYPE_LATEST

from hiseg.access.key_store import KeyStore
from hiseg.api.boxes import BoxFormat
from hiseg.api.encoding import MaskFormat
from hiseg.api.exchange import Exchange
from hiseg.api.limits import limits_in_force
from hiseg.api.served import models_served
from hiseg.core.job import Mode, Priority, Smoothing
from hiseg.core.version import hiseg_version
from hiseg.images.kinds import MEDIA_TYPES
from hiseg.masks.formats.overlay import OPACITY, PALETTE
from hiseg.observability.metrics import Metrics
from hiseg.segmenter import Segmenter
from hiseg.settings import Settings
from hiseg.transports.http import docs_page, methods, problems, segment
from hiseg.transports.http.kserve import routes as kserve
from hiseg.transports.http.label_studio import routes as label_studio
from hiseg.transports.http.middleware import AccessLogMiddleware, AuthMiddleware
from hiseg.transports.http.notes import NOTES_HEADER
from hiseg.transports.http.playground import page


def create_http(segmenter: Segmenter, settings: Settings, metrics: Metrics, key_store: KeyStore) -> FastAPI:
    """Make the application that serves a segmenter; it starts and stops nothing itself."""
    app = FastAPI(
        title="hiseg",
        summary="One mask per person",
        version=hiseg_version(),
        openapi_url=None,
    )
    docs_page.install(app)
    exchange = Exchange(segmenter, settings, metrics)
    problems.install(app)
    methods.install(app)
    app.add_middleware(AuthMiddleware, key_store=key_store, metrics=metrics)
    if settings.cors_origins:
        # Around the authentication: browsers send a preflight request without a key.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "HEAD", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key", "X-Request-ID"],
            expose_headers=["Retry-After", "Server-Timing", "X-Request-ID", NOTES_HEADER],
        )
    app.add_middleware(methods.HeadMiddleware)
    app.add_middleware(AccessLogMiddleware, exchange=exchange)
    for api in (segment, kserve, label_studio):
        app.include_router(api.router(exchange))

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
        answering = set(models_served(segmenter, settings.default_variant)["model_of_variant"].values())
        described = [info.describe() for info in segmenter.models]
        return {"models": [each | {"answers_for_variant": each["name"] in answering} for each in described]}

    @app.get("/v1/info", tags=["about"])
    async def info() -> dict[str, Any]:
        """Version, what can be asked for, and every limit in force."""
        return {
            "version": hiseg_version(),
            **models_served(segmenter, settings.default_variant),
            "image_types": list(MEDIA_TYPES),
            "priorities": list(Priority),
            "modes": list(Mode),
            "mask_formats": list(MaskFormat),
            "box_formats": list(BoxFormat),
            "smoothings": list(Smoothing),
            "palette": list(PALETTE),
            "overlay_opacity": OPACITY,
            "limits": limits_in_force(settings),
        }

    return app
