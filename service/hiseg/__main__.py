"""``python -m hiseg`` is the command ``hiseg``, for machines on which only the interpreter is on the path."""

from hiseg.cli.main import app

app(prog_name="hiseg")
