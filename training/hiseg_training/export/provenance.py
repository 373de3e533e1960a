"""What no file of weights can say of itself: who trains a model knows what it learnt from, and on what terms."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from hiseg_training.config.overrides import read_toml
from hiseg_training.config.run import Record

Text = Annotated[str, Field(min_length=1)]


class Provenance(Record):
    """Of a model, as the TOML file that ``--provenance`` names says it.

    Attributes:
        licence: one line; files and services carry it.
        training_data: one line; the same.
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
        """The lines that go into files."""
        return {"licence": self.licence, "training_data": self.training_data}


def read_provenance(path: Path | None) -> Provenance | None:
    """What a file says of a model; of no file, nothing.

    Raises:
        TomlError: a field is missing, or isn't one.
    """
    return None if path is None else read_toml(path, Provenance)
