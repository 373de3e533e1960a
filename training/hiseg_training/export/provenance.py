"""Reads where a model comes from: training data, licence and limits, which no file of weights says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from hiseg_training.config.overrides import read_toml
from hiseg_training.config.run import Record

Text = Annotated[str, Field(min_length=1)]


class Provenance(Record):
    """The content of the TOML file that ``--provenance`` names.

    Attributes:
        licence: one line, carried by exported files and services.
        training_data: one line, carried by exported files and services.
        training: how it was trained and on what, for the card; Markdown.
        terms: on what terms it may be used, for the card; Markdown.
        limits: where it is weak, for the card; Markdown.
    """

    licence: Text
    training_data: Text
    training: Text
    terms: Text
    limits: Text

    def facts(self) -> dict[str, str]:
        """Return the fields that go into the metadata of exported files."""
        return {"licence": self.licence, "training_data": self.training_data}


def read_provenance(path: Path | None) -> Provenance | None:
    """Read a provenance file; None without a path.

    Raises:
        TomlError: a field is missing, empty or unknown.
    """
    return None if path is None else read_toml(path, Provenance)
