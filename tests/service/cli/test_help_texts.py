"""Options and arguments are shown in plain words, and mean what they did before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import pytest
import typer

from hiseg.cli.help_texts import plain, range_of

app = typer.Typer()


@app.command()
def sing(
    songs: Annotated[list[Path], typer.Argument(help="what to sing")],
    voice: Annotated[str | None, typer.Option(help="whose", show_default="the composer's")] = None,
    words: Annotated[list[str] | None, typer.Option(help="instead")] = None,
    loud: Annotated[bool, typer.Option("--loud", help="much")] = False,
    key: Annotated[Literal["major", "minor"], typer.Option(help="of it all")] = "major",
    scale: Annotated[Literal["dorian", "phrygian", "lydian", "mixolydian"], typer.Option(help="mode")] = "dorian",
    share: Annotated[float, typer.Option(min=0, max=1, help="of the song")] = 0.5,
    beats: Annotated[int, typer.Option(help="a minute")] = 60,
    folder: Annotated[Path, typer.Option(file_okay=False, help="of notes")] = Path("."),
) -> None:
    """Sing."""
    print(songs, voice, words, loud, key, scale, share, beats, folder)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs the command; gives its exit code and what it said, without frames and line breaks."""
    command = typer.main.get_command(app)
    plain(command)
    plain(command)

    def run(*arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            command.main(arguments, prog_name="sing")
        said = "".join(capsys.readouterr())
        return " ".join([str(ended.value.code), *said.replace("│", " ").split()])

    return run


def test_values_are_shown_in_words(run: Callable[..., str]) -> None:
    text = run("--help")
    for words in (
        "Usage: sing [OPTIONS] SONGS...",
        "SONGS what to sing [required]",
        "--voice TEXT whose [default: the composer's]",
        "--words TEXT instead",
        "--loud much",
        "--key major|minor of it all [default: major]",
        "--scale NAME mode: dorian, phrygian, lydian, mixolydian [default: dorian]",
        "--share 0..1 of the song [default: 0.5]",
        "--beats NUMBER a minute [default: 60]",
        "--folder FOLDER of notes [default: .]",
        "--help Show this message and exit.",
    ):
        assert words in text
    assert "<" not in text


def test_values_are_read_as_before(run: Callable[..., str]) -> None:
    assert run("a") == "0 [PosixPath('a')] None None False major dorian 0.5 60 ."
    changed = ("a", "b", "--voice", "mine", "--words", "la", "--loud", "--scale", "lydian", "--share", "1")
    assert run(*changed).endswith("mine ['la'] True major lydian 1.0 60 .")
    assert run("a", "--share", "2").startswith("2 ")
    assert "Missing argument 'SONGS'" in run()


def test_ranges() -> None:
    assert [range_of(0, None), range_of(None, 2), range_of(0, 1.5), range_of(None, None)] == [
        "0..",
        "..2",
        "0..1.5",
        "NUMBER",
    ]
