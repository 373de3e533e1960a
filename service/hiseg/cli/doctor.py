"""``hiseg doctor``: prints each check's finding as it is made, and a summary."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from hiseg.cli.options import Engine, Fallback, Repository
from hiseg.doctor.finding import Finding, all_well, as_json, as_line, summary


def doctor(
    repository: Repository = None,
    engine: Engine = None,
    fallback: Fallback = None,
    as_json_text: Annotated[bool, typer.Option("--json", help="print all of it as JSON, at the end")] = False,
) -> None:
    """Look for what would keep the service from serving, and say what to mend; exits with 1 if anything is wrong."""
    from hiseg.doctor.examine import examine

    options = {"model_repository": repository, "engine": engine, "fallback": fallback}
    overrides = {name: value for name, value in options.items() if value is not None}

    async def collect() -> list[Finding]:
        findings = []
        async for finding in examine(overrides):
            findings.append(finding)
            if not as_json_text:
                typer.echo(as_line(finding))
        return findings

    findings = asyncio.run(collect())
    typer.echo(as_json(findings) if as_json_text else summary(findings))
    if not all_well(findings):
        raise typer.Exit(1)
