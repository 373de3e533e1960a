"""``python -m hiseg_training`` is ``hiseg-train``, for ``torchrun -m`` and where only the interpreter is at hand."""

from hiseg_training.cli.main import app

app(prog_name="hiseg-train")
