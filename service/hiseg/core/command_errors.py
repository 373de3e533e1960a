"""Errors of a command that its user can do something about: they are printed as one line, not as a traceback."""

from __future__ import annotations


class CommandError(Exception):
    """A command can't do what it was asked to; the message is one line, written for the person who typed it."""


class BadOption(CommandError):
    """An option of a command has a value that can't be used.

    Args:
        option: the option as it is typed, e.g. ``--size``.
        value: the value that was given.
        reason: the rest of the sentence that begins with the value, e.g. ``is not WIDTHxHEIGHT``.
    """

    def __init__(self, option: str, value: str, reason: str) -> None:
        super().__init__(f"{option}: {value!r} {reason}")
