"""``hiseg serve``: runs the service."""

from __future__ import annotations

from typing import Annotated

import typer

from hiseg import app
from hiseg.access.key_store import KeysUnusable
from hiseg.cli.options import CANNOT_START, Engine, Fallback, Repository, exit_on, read_settings
from hiseg.core.errors import HisegError
from hiseg.core.start_error import StartError
from hiseg.doctor.examine import check_limits
from hiseg.doctor.finding import Level
from hiseg.engines.contract import ModelError
from hiseg.lifecycle import log
from hiseg.models.canary import CanaryMismatch
from hiseg.models.self_test import SelfTestFailed
from hiseg.observability.logs import configure_logging

REASONS_NOT_TO_START = (
    StartError,
    ModelError,
    CanaryMismatch,
    SelfTestFailed,
    KeysUnusable,
    HisegError,
)


def serve(
    host: Annotated[str | None, typer.Option(help="address to listen on")] = None,
    port: Annotated[str | None, typer.Option(help="HTTP port; 0 takes a free one", metavar="PORT")] = None,
    grpc_port: Annotated[str | None, typer.Option(help="gRPC port; 0 takes a free one", metavar="PORT")] = None,
    repository: Repository = None,
    engine: Engine = None,
    fallback: Fallback = None,
) -> None:
    """Run the service; exits with 2 if it can't start.

    Every other setting is a HISEG_* variable or a line in hiseg.toml.
    """
    settings = read_settings(
        host=host,
        port=port,
        grpc_port=grpc_port,
        model_repository=repository,
        engine=engine,
        fallback=fallback,
    )
    configure_logging(settings.log_format)
    for finding in check_limits(settings):
        if finding.level is not Level.OK:
            log.warning("%s. %s", finding.found, finding.mend)
    with exit_on(*REASONS_NOT_TO_START, code=CANNOT_START):
        app.serve(settings)
