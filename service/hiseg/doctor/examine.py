"""All checks of the doctor, in the order in which they are printed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping

from pydantic import ValidationError

from hiseg.core.engine_settings import EMBEDDED
from hiseg.core.extras import extra_for, install_command
from hiseg.core.settings_sources import UnreadableFile
from hiseg.doctor.clock import Clock
from hiseg.doctor.embedded import check_embedded
from hiseg.doctor.finding import Finding, Level, wrong
from hiseg.doctor.limits import check_memory, check_open_files, check_settings
from hiseg.doctor.ports import check_ports
from hiseg.doctor.provider import check_provider, check_runtimes, check_threads
from hiseg.doctor.security import check_certificates, check_exposure, check_keys
from hiseg.doctor.words import explain
from hiseg.settings import Settings


async def examine(overrides: Mapping[str, object]) -> AsyncIterator[Finding]:
    """Make every check; with settings that are refused, say only what is wrong with them.

    Args:
        overrides: settings that take the place of ``HISEG_*`` variables and hiseg.toml.
    """
    try:
        settings = Settings(**overrides)  # type: ignore[arg-type]
    except (ValidationError, UnreadableFile) as error:
        for sentence in explain(error, overrides):
            yield wrong("settings", sentence, "Mend the HISEG_* variable, the line in hiseg.toml or the option.")
        return
    clock = Clock()
    for finding in (
        *check_limits(settings),
        check_keys(settings),
        *check_certificates(settings),
        *check_ports(settings),
    ):
        yield finding
    if settings.engine != EMBEDDED:
        async for finding in _check_triton(settings):
            yield finding
    if settings.runs_embedded and check_runtimes().level is not Level.WRONG:
        yield check_provider()
        yield check_threads(settings)
        async for finding in check_embedded(settings):
            yield finding
    for finding in clock.findings():
        yield finding


def check_limits(settings: Settings) -> Iterator[Finding]:
    """Make the checks that take no time: can models run, do limits hold here, and who can reach the service?"""
    if settings.runs_embedded:
        yield check_runtimes()
    yield from check_settings(settings)
    yield check_open_files(settings)
    yield check_memory(settings)
    yield check_exposure(settings)


async def _check_triton(settings: Settings) -> AsyncIterator[Finding]:
    """Check the Triton servers, if the package that talks to them is installed."""
    try:
        # Not at the top: Triton's client is an optional extra.
        from hiseg.doctor.servers import check_servers
    except ModuleNotFoundError as error:
        extra = extra_for(error.name or "")
        if extra is None:
            raise
        yield wrong("reachable", f"engine {settings.engine} needs {error.name}", install_command(extra))
        return
    async for finding in check_servers(settings):
        yield finding
