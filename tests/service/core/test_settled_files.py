"""A change of a file counts once the file has been left alone, and what is no file is never waited for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hiseg.core.settled_files import MAX_FILE_BYTES, SETTLED_S, SettledFiles, read_bounded
from tests.growth import open_files, smallest_growth


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_change_counts_once_and_when_it_has_settled(tmp_path: Path) -> None:
    one, two, clock = tmp_path / "one", tmp_path / "two", Clock()
    one.write_bytes(b"1")
    two.write_bytes(b"2")
    files = SettledFiles([one, two], clock)
    assert files.read() == [b"1", b"2"]
    clock.now += 100
    assert files.read_change() is None
    one.write_bytes(b"3")
    assert files.read_change() is None
    clock.now += SETTLED_S / 2
    two.write_bytes(b"4")
    assert files.read_change() is None
    clock.now += SETTLED_S / 2
    assert files.read_change() is None, "the second was written later"
    clock.now += SETTLED_S / 2
    assert files.read_change() == [b"3", b"4"]
    clock.now += 100
    assert files.read_change() is None


def test_another_file_of_the_same_size_and_time_is_a_change(tmp_path: Path) -> None:
    file, clock = tmp_path / "file", Clock()
    file.write_bytes(b"1")
    os.utime(file, (1, 1))
    files = SettledFiles([file], clock)
    (tmp_path / "new").write_bytes(b"2")
    os.utime(tmp_path / "new", (1, 1))
    (tmp_path / "new").rename(file)
    assert files.read_change() is None
    clock.now += SETTLED_S
    assert files.read_change() == [b"2"]


def test_a_file_that_has_gone_is_an_error_until_it_is_back(tmp_path: Path) -> None:
    file, clock = tmp_path / "file", Clock()
    file.write_bytes(b"1")
    files = SettledFiles([file], clock)
    file.unlink()
    assert files.read_change() is None
    clock.now += SETTLED_S
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            files.read_change()
    file.write_bytes(b"1")
    assert files.read_change() is None
    clock.now += SETTLED_S
    assert files.read_change() == [b"1"]


def test_what_is_no_file_or_too_large_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b"x" * (MAX_FILE_BYTES + 1))
    for path in (tmp_path / "pipe", tmp_path / "large", tmp_path, Path("/dev/zero"), tmp_path / "none"):
        files = [open_files()]
        for _ in range(3):
            with pytest.raises(OSError):  # noqa: PT011 - the system's own words differ
                read_bounded(path)
            files.append(open_files())
        assert smallest_growth(files) <= 0, files
