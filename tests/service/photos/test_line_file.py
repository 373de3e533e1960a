"""Lines outlive whatever happens to the process that wrote them, and no two processes write them at once."""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiseg.core.command_errors import CommandError
from hiseg.photos.line_file import open_lines


def read(path: Path) -> list[object]:
    with open_lines(path, "busy") as file:
        return file.lines


@given(lines=st.lists(st.lists(st.one_of(st.integers(), st.text()))), cut=st.integers(0, 60))
def test_a_file_that_breaks_off_anywhere_has_its_whole_lines(
    tmp_path_factory: pytest.TempPathFactory, lines: list[list[object]], cut: int
) -> None:
    path = tmp_path_factory.mktemp("lines") / "a"
    with open_lines(path, "busy") as file:
        for line in lines:
            file.add(line)
    content = path.read_bytes()
    path.write_bytes(content[: max(0, len(content) - cut)])
    whole = path.read_bytes().count(b"\n")
    assert read(path) == lines[:whole]
    with open_lines(path, "busy") as file:
        file.add(["new"])
    assert read(path) == [*lines[:whole], ["new"]]


def test_a_second_process_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with open_lines(path, "busy") as file, pytest.raises(CommandError, match="busy"), open_lines(path, "busy"):
        file.add(1)
    assert read(path) == []


def test_clearing(tmp_path: Path) -> None:
    with open_lines(tmp_path / "a", "busy") as file:
        file.add(1)
        file.clear()
        file.add(2)
    assert read(tmp_path / "a") == [2]


@pytest.mark.parametrize("content", [b"{'a'}\n", b"\xff\xfe\n", b"one\ntwo\n"])
def test_another_file_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)
    with pytest.raises(CommandError, match="isn't as hiseg writes it"):
        read(path)
    assert path.read_bytes() == content


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_not_to_be_written_to(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(CommandError, match="can't be written"):
        read(tmp_path / "a")


def test_a_full_disk_leaves_whole_lines(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with open_lines(tmp_path / "a", "busy") as file:
        file.add("first")
        resource.setrlimit(resource.RLIMIT_FSIZE, (50, before[1]))
        try:
            with pytest.raises(CommandError, match="a can't be written: File too large"):
                file.add("x" * 100)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert read(tmp_path / "a") == ["first"]


def test_a_link_to_nowhere(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b" / "c")
    with pytest.raises(CommandError, match="a can't be written: File exists"):
        read(tmp_path / "a")


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no such folder"):
        read(tmp_path / "b" / "a")


def test_lines_are_json(tmp_path: Path) -> None:
    with open_lines(tmp_path / "a", "busy") as file:
        file.add({"name": "人\n"})
    assert json.loads((tmp_path / "a").read_text()) == {"name": "人\n"}
