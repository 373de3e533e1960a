"""The settings of a session: those of the service, whose errors are one sentence for each."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from hiseg.core.settings_sources import UnreadableFile
from hiseg.doctor.words import explain
from hiseg.session.errors import SessionError
from hiseg.settings import Settings


def read_settings(overrides: Mapping[str, object], names: Mapping[str, str]) -> Settings:
    """Read the settings from ``HISEG_*`` variables and hiseg.toml.

    Args:
        overrides: settings that win over both.
        names: what these are called where they are given.

    Raises:
        SessionError: settings are refused.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except (ValidationError, UnreadableFile) as error:
        raise SessionError("; ".join(explain(error, overrides, names))) from error
