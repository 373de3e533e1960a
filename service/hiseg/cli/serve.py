"""``hiseg serve``: runs the service."""

from __future__ import annotations

from typing import Annotated

import typer

from hiseg.cli.options import CANNOT_START, Engine, Fallback, Repository, exit_on, read_settings


def serve(
    host: Annotated[
        str | None, typer.Option(help="address to listen on", metavar="ADDRESS", show_default="127.0.0.1")
    ] = None,
    port: Annotated[
        str | None, typer.Option(help="HTTP port; 0 takes a free one", metavar="PORT", show_default="8000")
    ] = None,
    grpc_port: Annotated[
        str | None, typer.Option(help="gRPC port; 0 takes a free one", metavar="PORT", show_default="50051")
    ] = None,
    repository: Repository = None,
    engine: Engine = None,
    fallback: Fallback = None,
) -> None:
    """Run the service; exits with 2 if it can't start.

    Every other setting is a HISEG_* variable or a line in hiseg.toml, and these options win over both.
    """
    from hiseg import app
    from hiseg.access.key_store import KeysUnusable
    from hiseg.core.engine_settings import EMBEDDED
    from hiseg.core.errors import HisegError
    from hiseg.core.start_error import StartError
    from hiseg.doctor.examine import check_limits
    from hiseg.doctor.finding import Level
    from hiseg.doctor.provider import RUNTIME_CHECK
    from hiseg.engines.contract import ModelError
    from hiseg.lifecycle import log
    from hiseg.models.canary import CanaryMismatch
    from hiseg.models.self_test import SelfTestFailed
    from hiseg.observability.logs import configure_logging

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
        if finding.check == RUNTIME_CHECK and finding.level is Level.WRONG and settings.engine == EMBEDDED:
            # Nothing else can run a model, so the start ends here, before it has an address.
            typer.echo(f"hiseg: {finding.found}. {finding.mend}", err=True)
            raise typer.Exit(CANNOT_START)
        if finding.level is not Level.OK:
            log.warning("%s. %s", finding.found, finding.mend)
    reasons_not_to_start = (StartError, ModelError, CanaryMismatch, SelfTestFailed, KeysUnusable, HisegError)
    with exit_on(*reasons_not_to_start, code=CANNOT_START):
        app.serve(settings)
