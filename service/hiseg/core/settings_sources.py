"""Where settings are read from, so that nothing that was meant as a setting is overlooked: variables and a TOML file.

Both sources hand on what is unknown or empty instead of leaving it out, so that the check of the settings refuses it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic_settings import BaseSettings, EnvSettingsSource, InitSettingsSource

from hiseg.core.settled_files import read_bounded

SERVICE_LINK = re.compile(r"(.+_)?(SERVICE_(HOST|PORT(_.+)?)|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")
"""Names, without the prefix, of the variables that Kubernetes sets in every container for a Service whose own name
begins with the prefix; besides ``…_PORT`` with a value such as ``tcp://10.0.0.1:8000``."""
SERVICE_LINK_PORT = re.compile(r"(tcp|udp|sctp)://\S+")


class EmptyValue:
    """Stands for the value of a setting that is given and has none; no setting has such a type."""

    def __repr__(self) -> str:
        return "nothing"


EMPTY = EmptyValue()


class UnreadableFile(ValueError):
    """The file of settings can't be read, or isn't TOML; the text says why."""


class Variables(EnvSettingsSource):
    """Variables of the environment that begin with the prefix.

    Args:
        settings: the settings.
        of_others: variables with the prefix that are no settings: programs around the service read them.
    """

    def __init__(self, settings: type[BaseSettings], of_others: frozenset[str]) -> None:
        super().__init__(settings)
        self._of_others = of_others

    def __call__(self) -> dict[str, Any]:
        """Return the settings by name; unknown variables by their own name, and empty ones as :data:`EMPTY`."""
        found = super().__call__()
        given = {name.upper(): value or "" for name, value in self.env_vars.items()}
        for variable, value in given.items():
            prefix, name = variable[: len(self.env_prefix)], variable[len(self.env_prefix) :]
            if prefix != self.env_prefix.upper() or variable in self._of_others:
                continue
            is_setting = name.lower() in self.settings_cls.model_fields
            if is_service_link(variable, given):
                found.pop(name.lower(), None)
            elif not is_setting:
                found[variable] = value
            elif not value.strip():
                found[name.lower()] = EMPTY
        return found


def is_service_link(variable: str, given: Mapping[str, str]) -> bool:
    """Tell whether Kubernetes set a variable, for a Service, and nobody who meant a setting.

    Args:
        variable: its name.
        given: all variables.
    """
    if SERVICE_LINK.fullmatch(variable.partition("_")[2]):
        return True
    service, _, end = variable.rpartition("_")
    return end == "PORT" and f"{service}_SERVICE_HOST" in given and bool(SERVICE_LINK_PORT.fullmatch(given[variable]))


class TomlFile(InitSettingsSource):
    """A TOML file of settings, which need not be there.

    Args:
        settings: the settings.
        path: of the file.

    Raises:
        UnreadableFile: it can't be read, or isn't TOML.
    """

    def __init__(self, settings: type[BaseSettings], path: Path) -> None:
        super().__init__(settings, {name: EMPTY if value == "" else value for name, value in _read(path).items()})


def _read(path: Path) -> dict[str, Any]:
    try:
        # Editors of Windows begin a file with a mark of the byte order.
        return tomllib.loads(read_bounded(path).decode("utf-8-sig"))
    except FileNotFoundError:
        if path.is_symlink():
            raise UnreadableFile(f"{path} is a link to a file that isn't there") from None
        return {}
    except OSError as error:
        raise UnreadableFile(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UnreadableFile(f"{path} isn't UTF-8 text; save it as that") from error
    except RecursionError as error:
        raise UnreadableFile(f"{path} isn't TOML that can be read: its lists or tables are too deep") from error
    except ValueError as error:
        raise UnreadableFile(f"{path} isn't TOML: {error}") from error
