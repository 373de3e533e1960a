"""Paths of the command, the published models and the sample photo."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The checkout."""
HISEG = Path(sys.executable).with_name("hiseg")
"""The command, of the environment that runs this."""
PUBLISHED = ROOT / "model_repository"
"""The models as they are published."""
SAMPLE = ROOT / "docs" / "samples" / "people.jpg"
"""A photo of two people."""
SAMPLE_BOXES = [[22.0, 15.0, 365.0, 512.0], [526.0, 18.0, 949.0, 512.0]]
"""Their boxes, ``x1 y1 x2 y2`` in pixels."""
