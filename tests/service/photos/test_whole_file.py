"""A file is there as a whole, or as it was before."""

from __future__ import annotations

from pathlib import Path

import pytest

from hiseg.photos.whole_file import write_whole


def test_files_are_whole_or_not_there(tmp_path: Path) -> None:
    write_whole(tmp_path / f"{'x' * 251}.png", b"1")
    with pytest.raises(OSError, match="File name too long"):
        write_whole(tmp_path / f"{'x' * 252}.png", b"1")
    assert [path.name for path in tmp_path.iterdir()] == [f"{'x' * 251}.png"]


def test_what_a_killed_process_left_is_used_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"before")

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", killed)
        patched.setattr("os.replace", killed)
        with pytest.raises(KeyboardInterrupt):
            write_whole(path, b"half")
    assert path.read_bytes() == b"before"
    assert len([*tmp_path.iterdir()]) == 2
    write_whole(path, b"after")
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [b"after"]
