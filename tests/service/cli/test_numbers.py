"""Numbers of the command line are read as those of requests are."""

from __future__ import annotations

from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from hiseg.cli.numbers import number, whole_number

app = typer.Typer()


@app.command()
def show(
    share: Annotated[float, number("a share", min=0.25, max=0.75)] = 0.5,
    count: Annotated[int | None, whole_number("a count", min=0)] = None,
) -> None:
    print(repr(share), repr(count))


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, arguments)
    return done.exit_code, done.output


def test_defaults_stay_as_they_are() -> None:
    assert run() == (0, "0.5 None\n")


@pytest.mark.parametrize(
    ("text", "value"), [("0.3", 0.3), (".3", 0.3), ("+3e-1", 0.3), (" 0.3 ", 0.3), ("0.25", 0.25), ("0.75", 0.75)]
)
def test_numbers_as_everybody_writes_them(text: str, value: float) -> None:
    assert run("--share", text) == (0, f"{value} None\n")


@pytest.mark.parametrize(("text", "value"), [("7", 7), ("+7", 7), ("7.0", 7), ("007", 7), (" 7", 7)])
def test_whole_numbers(text: str, value: int) -> None:
    assert run("--count", text) == (0, f"0.5 {value}\n")


@pytest.mark.parametrize(
    "argument",
    [
        *(
            "--share=" + text
            for text in ("nan", "inf", "-inf", "0_3", "0,3", "0x1", "", "30%", "\u0660.\u0665", "true")
        ),
        *("--share=" + text for text in ("0.2", "0.8", "-0.5", "1e400")),
        *("--count=" + text for text in ("1_0", "1e1", "1.5", "-1", "nan", "1e400", "\u0661", "None", "")),
    ],
)
def test_what_is_no_number_or_out_of_range_is_refused(argument: str) -> None:
    code, told = run(argument)
    assert code == 2
    assert argument.partition("=")[0] in told
    assert "Traceback" not in told


@pytest.mark.parametrize("text", ["0", "1", "1.0", "-1e-9"])
def test_an_open_range_is_without_its_ends(text: str) -> None:
    def show(probability: Annotated[float, number("a probability", min=0, max=1, without_ends=True)] = 0.5) -> None:
        print(probability)

    own = typer.Typer()
    own.command()(show)
    done = CliRunner().invoke(own, ["--probability", text])
    assert done.exit_code == 2
    assert text in done.output
    assert CliRunner().invoke(own, ["--probability", "1e-9"]).output == "1e-09\n"
