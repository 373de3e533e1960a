"""Skips or fails a measurement or test whose external program is not installed."""

from __future__ import annotations

import os
import unittest
from typing import NoReturn


def missing(reason: str) -> NoReturn:
    """End what needs it: as a skipped test, but as an error where everything that is needed must be there.

    Raises:
        unittest.SkipTest: pytest counts the test as skipped.
        RuntimeError: with ``CI=true`` in the environment.
    """
    if os.environ.get("CI") == "true":
        raise RuntimeError(reason)
    raise unittest.SkipTest(reason)
