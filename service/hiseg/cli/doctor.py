"""``hiseg doctor``: the checks in order, printed as they are made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from hiseg.doctor.clock import Clock
from hiseg.doctor.embedded import embedded
from hiseg.doctor.finding import Finding, wrong
from hiseg.doctor.limits import files, memory, settings_agree
from hiseg.doctor.ports import ports
from hiseg.doctor.provider import provider, threads
from hiseg.doctor.report import as_json, as_line, summary, well
from hiseg.settings import EMBEDDED, Fallback, Settings


def doctor(
    repository: Annotated[Path | None, typer.Option("--repository", help="folder of name/version/model.onnx")] = None,
    engine: Annotated[str | None, typer.Option(help="onnx (embedded), or triton://host:port,host:port")] = None,
    fallback: Annotated[Fallback | None, typer.Option(help="what is to serve while no Triton answers")] = None,
    as_json_text: Annotated[bool, typer.Option("--json", help="print all of it as JSON, at the end")] = False,
) -> None:
    """Look for what would keep the service from serving, and say what to mend; exits with 1 if anything is wrong."""
    given = {"model_repository": repository, "engine": engine, "fallback": fallback}

    async def collect() -> list[Finding]:
        findings = []
        async for finding in examine({name: value for name, value in given.items() if value is not None}):
            findings.append(finding)
            if not as_json_text:
                typer.echo(as_line(finding))
        return findings

    findings = asyncio.run(collect())
    typer.echo(as_json(findings) if as_json_text else summary(findings))
    if not well(findings):
        raise typer.Exit(1)


async def examine(given: dict[str, object]) -> AsyncIterator[Finding]:
    """Everything; with settings that don't stand, only what is wrong with them."""
    try:
        settings = Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        for problem in error.errors():
            name = "".join(f"{part}: " for part in problem["loc"])
            text = problem["msg"].removeprefix("Value error, ")
            yield wrong("settings", f"{name}{text}", "Mend the HISEG_* variable or the line in hiseg.toml.")
        return
    clock = Clock()
    for finding in (*settings_agree(settings), files(settings), memory(settings), *ports(settings)):
        yield finding
    if settings.engine != EMBEDDED:
        async for finding in on_triton(settings):
            yield finding
    if settings.engine == EMBEDDED or settings.fallback is Fallback.ONNX:
        yield provider()
        yield threads(settings)
        async for finding in embedded(settings):
            yield finding
    for finding in clock.findings():
        yield finding


async def on_triton(settings: Settings) -> AsyncIterator[Finding]:
    """What there is to say of the servers, if there is the client to ask them with."""
    try:
        from hiseg.doctor.servers import servers
    except ImportError as error:
        yield wrong(
            "reachable", f"engine {settings.engine} needs more packages: {error}", "pip install 'hiseg[triton]'"
        )
        return
    async for finding in servers(settings):
        yield finding
