"""``python -m training``: ``hiseg-train`` where only the interpreter is at hand, as under ``torchrun -m training``."""

from training.cli import app

app()
