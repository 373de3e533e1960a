"""What goes wrong on the user's side of a benchmark, in one line."""

from __future__ import annotations


class BenchError(Exception):
    """The benchmark can't be run, or has nothing to tell; the message is for the user."""


class BadOption(BenchError):
    """An option of the command has a value that can't be used."""

    def __init__(self, option: str, value: str, reason: str) -> None:
        super().__init__(f"{option}: {value!r} {reason}")


def missing_extra(error: ModuleNotFoundError) -> BenchError:
    """What to say when a package of the optional extra isn't installed."""
    return BenchError(f"this needs {error.name}: pip install 'hiseg[bench]'")
