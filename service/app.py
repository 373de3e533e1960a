"""Puts the parts together: engines from the repository, batchers, the segmenter, HTTP around it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import uvicorn

from service.batching.admission import Admission
from service.batching.batcher import Batcher
from service.engines.onnx import OnnxEngine
from service.engines.repository import stored_models
from service.images import ImageLimits
from service.segmenter import Segmenter
from service.settings import Settings
from service.telemetry import Metrics
from service.transports.http.routes import create_http


@contextmanager
def open_segmenter(settings: Settings) -> Iterator[Segmenter]:
    """A segmenter over every model of the repository, warmed up; closed again at the end.

    Raises:
        FileNotFoundError: the repository holds no model.
        ModelError: one of them doesn't keep the tensor contract.
        InvalidRequest: the default variant isn't among them.
    """
    stored = stored_models(settings.model_repository)
    engines = [OnnxEngine(model.path, model.name, model.version, settings.threads) for model in stored]
    for engine in engines:
        engine.warm_up()
    workers = ThreadPoolExecutor(settings.workers, thread_name_prefix="worker")
    segmenter = Segmenter(
        {engine.info.ref.name: Batcher(engine) for engine in engines},
        workers,
        ImageLimits(settings.max_image_bytes, settings.max_image_pixels),
        Admission(settings.max_jobs),
    )
    segmenter.model_for(settings.default_variant)
    try:
        yield segmenter
    finally:
        segmenter.admission.draining = True
        for engine in engines:
            engine.close()
        workers.shutdown()


def serve(settings: Settings) -> None:
    """Load the models, then answer HTTP until SIGINT or SIGTERM; requests in work are finished first."""
    # uvicorn raises the signal again once it has drained: leave by the ordinary way then, with exit code 0.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with open_segmenter(settings) as segmenter:
        app = create_http(segmenter, settings, Metrics())
        # One process: the models and the queue in front of them are shared by all requests.
        uvicorn.run(app, host=settings.host, port=settings.port, log_level="info", access_log=False)
