"""``hiseg.segment`` in processes of all kinds: none of them hangs, whatever they forget or fork."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from benchmarks.harness.paths import ROOT, SAMPLE
from benchmarks.harness.repository import REPOSITORY

BEFORE = f"""
import asyncio, os, sys, threading, time
from hiseg import *
PHOTO, BOX = {str(SAMPLE)!r}, [[100, 20, 250.5, 480]]
"""


def python(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own; two minutes are an eternity for each of them."""
    return subprocess.run(
        [sys.executable, *options, "-c", BEFORE + textwrap.dedent(code)],
        env={"HISEG_MODEL_REPOSITORY": str(REPOSITORY), "PYTHONPATH": f"{ROOT / 'service'}", "PATH": "/usr/bin:/bin"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_process_that_closes_nothing_ends_in_silence() -> None:
    done = python(
        """
        os.environ["HISEG_MODEL_REPOSITORY"], there = "/nowhere", os.environ["HISEG_MODEL_REPOSITORY"]
        try:
            segment(PHOTO, BOX)
        except SessionError as error:
            print(error)
        os.environ["HISEG_MODEL_REPOSITORY"] = there  # the next call tries again
        expected = segment(PHOTO, BOX).instances
        async def loop():
            return await asyncio.gather(*(asegment(PHOTO, BOX) for _ in range(3)))
        for _ in range(2):
            assert all(result.instances == expected for result in asyncio.run(loop()))
        rest = Session().segment_many((PHOTO, BOX) for _ in range(100))
        print(next(rest).instances == expected)
        def work():
            try:
                while True:
                    segment(PHOTO, BOX)
            except SessionError:
                pass
        for is_daemon in (True, False):
            threading.Thread(target=work, daemon=is_daemon).start()
        """,
        "-X",
        "dev",
        "-W",
        "error",
    )
    quiet = [line for line in done.stderr.splitlines() if not line.startswith("Executing <")]  # of asyncio's debug mode
    assert (done.returncode, quiet) == (0, [])
    assert done.stdout.startswith("there is no folder /nowhere with models")
    assert done.stdout.endswith("\nTrue\n")


def test_forked_processes_have_models_of_their_own() -> None:
    """With calls on their way in the parent, and children that exit as they like."""
    done = python(
        """
        import multiprocessing
        closed = Session()
        closed.close()
        own = Session()
        expected = segment(PHOTO, BOX).instances
        def work():
            while len(children) < 3:
                own.segment(PHOTO, BOX)
        children = []
        thread = threading.Thread(target=work)
        thread.start()
        for number in range(2):
            if not (child := os.fork()):
                assert own.segment(PHOTO, BOX).instances == expected
                try:
                    closed.segment(PHOTO, BOX)
                except SessionError as error:
                    assert "closed" in str(error)
                if number == 0:
                    os._exit(0)
                del own, work, closed
                sys.exit(0)
            children.append(child)
        children.append(None)
        thread.join()
        print(*(os.waitpid(child, 0)[1] for child in children[:2]))
        with multiprocessing.get_context("fork").Pool(1) as pool:
            print(all(result.instances == expected for result in pool.starmap(segment, [(PHOTO, BOX)])))
        print(segment(PHOTO, BOX).instances == expected)
        """
    )
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["0", "0", "True", "True"], "")


@pytest.mark.parametrize(("module", "extra"), [("onnxruntime", "cpu"), ("pydantic", "")])
def test_what_is_not_installed_is_named(module: str, extra: str) -> None:
    done = python(
        f"""
        sys.modules[{module!r}] = None
        assert Client and RawFrame and Session and segment
        try:
            segment(PHOTO, BOX)
        except ImportError as error:
            print(type(error).__name__, error)
        """
    )
    assert done.stdout.startswith("ExtraMissing running models here needs packages that aren't installed: ")
    assert f"[{extra}" in done.stdout
