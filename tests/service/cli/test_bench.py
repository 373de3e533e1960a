"""``hiseg bench`` as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from benchmarks.harness.paths import ROOT
from hiseg.cli.bench import bench
from hiseg.core.extras import install_command
from tests.service.bench.servers import Behaviour, serving

SHORT = ("--duration", "0.2", "--warm-up", "0.05", "--sizes", "32x24,48x64:2")


def run(*arguments: str | Path) -> Result:
    app = typer.Typer(add_completion=False)
    app.command("bench")(bench)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_figures_as_table_json_and_picture(tmp_path: Path) -> None:
    figures, picture = tmp_path / "run.json", tmp_path / "run.png"
    options = ("--mask-format", "png", "--deadline-ms", "900", "--priority", "batch", "--callers", "3")
    with serving(service := Behaviour(refuse_every=4)) as url:
        done = run("--url", url, "--rate", "100", *SHORT, *options, "--json", figures, "--plot", picture)
    assert done.exit_code == 0, done.output
    for name in ("requests", "throughput", "latency", "refusal", "outcomes", "stages", "late", "generator"):
        assert f"\n{name}" in done.output
    document = json.loads(figures.read_text())
    assert document["sent"] == sum(document["outcomes"].values()) > 0
    assert document["outcomes"]["429"] > 0
    assert document["stages_ms"] == {"decode": 1.5, "infer": 40}
    assert picture.read_bytes().startswith(b"\x89PNG")
    given = [{name: value for name, value in query.items() if name != "boxes"} for query in service.queries]
    assert all(query == {"mask_format": "png", "deadline_ms": "900", "priority": "batch"} for query in given)
    assert service.callers == {"198.18.0.1", "198.18.0.2", "198.18.0.3"}
    assert len(service.bodies) == 2


def test_closed_loop_sends_no_more_than_asked_for() -> None:
    with serving(service := Behaviour(delay=0.01)) as url:
        done = run("--url", url, "--concurrency", "2", *SHORT)
    assert done.exit_code == 0, done.output
    assert service.most_inside == 2
    assert service.callers == {None}
    assert all(set(query) == {"boxes"} for query in service.queries)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "either --rate"),
        (("--rate", "1", "--concurrency", "1"), "either --rate"),
        (("--rate", "1", "--sizes", "640"), "--sizes: '640'"),
        (("--rate", "1", "--people", "6-1"), "--people: '6-1'"),
        (("--rate", "1", "--url", "gopher://there"), "--url: 'gopher://there'"),
        (("--rate", "1", "--url", "127.0.0.1"), "--url: '127.0.0.1'"),
        (("--rate", "1", "--json", "no/such/folder.json"), "--json: 'no/such/folder.json'"),
    ],
)
def test_wrong_options_are_named(arguments: tuple[str, ...], said: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert said in " ".join(done.output.replace("│", " ").split())


def test_a_service_that_is_not_running_is_reported() -> None:
    with serving(Behaviour()) as url:
        pass
    done = run("--url", url, "--rate", "5", *SHORT)
    assert done.exit_code == 1
    assert done.output.startswith(f"hiseg: no service at {url}: Connection refused")
    assert done.output.count("\n") == 1


def test_no_request_was_ok() -> None:
    with serving(Behaviour(status=422)) as url:
        done = run("--url", url, "--concurrency", "1", *SHORT)
    assert done.exit_code == 1
    assert done.output.startswith("hiseg: no request was ok: 422 ")
    assert done.output.endswith("422: because of the moon\n")


@pytest.mark.parametrize(
    ("what", "package", "module"), [("measuring over HTTP", "aiohttp", "http_sender"), ("--plot", "matplotlib", "plot")]
)
def test_a_missing_extra_is_named(
    what: str, package: str, module: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"hiseg.bench.{module}", raising=False)
    done = run("--rate", "5", *SHORT, "--plot", tmp_path / "run.png")
    assert done.exit_code == 1
    assert done.output == f"hiseg: {what} needs packages that aren't installed: {install_command('bench')}\n"


def test_the_command_line_alone_needs_no_extra() -> None:
    code = "import sys, hiseg.cli.main, hiseg.cli.bench; assert not {'aiohttp', 'yarl', 'matplotlib'} & {*sys.modules}"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
