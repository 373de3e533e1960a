"""Shared memory of running processes is kept, and that of ended processes is removed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from hiseg.engines.triton.regions import MIN_BYTES, SHARED_MEMORY, Region, create_region, is_leftover, remove_leftovers

MAKE_ONE = """
import time
from hiseg.engines.triton.regions import create_region
region = create_region("{token}", 10)
print(region.name, flush=True)
time.sleep(60)
"""


@pytest.fixture
def process() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Another process that has a region, and the region's name."""
    code = MAKE_ONE.format(token=f"t{os.getpid()}")
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        yield other, other.stdout.readline().strip()
        other.kill()


def test_a_region_lasts_as_long_as_its_process(process: tuple[subprocess.Popen[str], str]) -> None:
    other, name = process
    remove_leftovers()
    assert (SHARED_MEMORY / name).exists()
    assert not is_leftover(name)
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert is_leftover(name)
    assert remove_leftovers() >= 1
    assert not (SHARED_MEMORY / name).exists()
    assert is_leftover(name), "a server may still know it"


def test_own_regions_and_foreign_names_are_not_leftovers() -> None:
    region = create_region(f"t{os.getpid()}", 3 * MIN_BYTES)
    assert region.size == 4 * MIN_BYTES
    assert not is_leftover(region.name)
    assert not is_leftover("somebody-elses-region")
    region.bytes[:3] = 7
    assert (SHARED_MEMORY / region.name).read_bytes()[:4] == b"\7\7\7\0"
    region.destroy()
    assert not (SHARED_MEMORY / region.name).exists()


def test_a_region_larger_than_the_memory_is_refused_and_leaves_nothing() -> None:
    name = f"hiseg-io-t{os.getpid()}-large"
    with pytest.raises(OSError, match="space"):
        Region(name, 2**50)
    assert not (SHARED_MEMORY / name).exists()
