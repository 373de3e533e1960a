"""``hiseg``: its commands, each of which is imported only when it is called.

``hiseg key`` shall not wait for FastAPI, nor ``hiseg models`` for the pydantic models of the service.
"""

from __future__ import annotations

import os

import typer

from hiseg.cli.lazy import LazyGroup, Place, Version

# gRPC's library reads it when it is loaded. Otherwise it writes a line to standard error for each connection that
# fails, not in the format of the log, and as often as a caller likes.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
COMMANDS = {
    "run": Place("hiseg.cli.run", "Segment a photo, or a folder of them; no server needed."),
    "annotate": Place("hiseg.cli.annotate", "Turn a COCO file of boxes into one of masks; no server needed."),
    "video": Place("hiseg.cli.video", "Tint the people of a video, or cut them out.", ("cpu", "video")),
    "serve": Place("hiseg.cli.serve", "Run the service."),
    "models": Place("hiseg.cli.models", "List the models of the repository, or check a file."),
    "doctor": Place("hiseg.cli.doctor", "Look for what would keep the service from serving, and say what to mend."),
    "bench": Place("hiseg.cli.bench", "Load a running service and measure it.", ("bench",)),
    "key": Place("hiseg.cli.keys", "Make an API key."),
}


class Commands(LazyGroup):
    """All of :data:`COMMANDS`."""

    places = COMMANDS


app = typer.Typer(cls=Commands, no_args_is_help=True)


@app.callback()
def main(version: Version = False) -> None:
    """One mask per person."""
