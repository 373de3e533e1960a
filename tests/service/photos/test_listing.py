"""Which files are photos, whatever a folder has in it, and what results are called."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiseg.core.command_errors import CommandError
from hiseg.photos.journal import NAME
from hiseg.photos.listing import Listing, _stems, find_photos, refuse_url


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a bit of everything."""
    made = tmp_path / "photos"
    names = ["b.JPG", "a.jpeg", "sub/c.webp", "ünï code/d e.png", "-x.jpg", "notes.txt", ".hidden.jpg", ".git/z.jpg"]
    for name in [*names, f"old/{NAME}", "old/a.png"]:
        path = made / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"?")
    (made / "sub" / "loop").symlink_to(made / "sub")
    (made / "sub" / "self").symlink_to("self")
    (made / "broken.jpg").symlink_to("nowhere")
    os.mkfifo(made / "pipe.jpg")
    return made


def names(listing: Listing) -> list[str]:
    return [photo.name for photo in listing.photos]


def test_a_folder_is_searched_without_what_is_hidden_other_or_endless(folder: Path) -> None:
    found = find_photos([str(folder)])
    assert names(found) == ["-x.jpg", "a.jpeg", "b.JPG", "broken.jpg", "sub/c.webp", "ünï code/d e.png"]
    assert (found.others, found.results) == (3, 1)  # a text, a pipe, and a link to itself


def test_results_in_the_folder_of_photos_are_no_photos(folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "out" / "a.png").write_bytes(b"?")
    arguments = [str(folder), f"{folder}/*", f"{folder}/**/*"]
    for argument in arguments:
        with pytest.raises(CommandError, match="is a folder of photos; choose another"):
            find_photos([argument], folder / "out")
    (folder / "out" / NAME).touch()
    for argument in arguments:
        assert "out/a.png" not in names(find_photos([argument], folder / "out"))


@pytest.mark.parametrize("arguments", [["{}"], ["{}/*.jp*g"], ["{}/a.jpeg", "{}/sub/c.webp"], ["{}/**/*"]])
def test_results_beside_the_photos_are_refused(folder: Path, arguments: list[str]) -> None:
    with pytest.raises(CommandError, match="is a folder of photos; choose another"):
        find_photos([argument.format(folder) for argument in arguments], folder)


def test_patterns_are_taken_as_a_shell_would(folder: Path) -> None:
    assert names(find_photos([f"{folder}/*.jpeg"])) == ["a.jpeg"]
    assert names(find_photos([f"{folder}/s*"])) == ["sub/c.webp"]
    assert names(find_photos([f"{folder}/**/*.webp"])) == ["sub/c.webp"]
    odd = folder / "photo [1].jpg"
    odd.write_bytes(b"?")
    assert names(find_photos([str(odd)])) == ["photo [1].jpg"]
    with pytest.raises(CommandError, match=r"nothing fits .*/\*.gif"):
        find_photos([f"{folder}/*.gif"])
    with pytest.raises(CommandError, match=r"none\.jpg does not exist"):
        find_photos([f"{folder}/none.jpg"])


def test_several_arguments_keep_the_folders_that_tell_them_apart(folder: Path) -> None:
    both = find_photos([f"{folder}/sub", f"{folder}/ünï code", f"{folder}/notes.txt", f"{folder}/sub/c.webp"])
    assert names(both) == ["notes.txt", "sub/c.webp", "ünï code/d e.png"]


def test_folders_that_cannot_be_read_are_told_of(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    really = os.scandir

    def scandir(path: Path) -> object:
        if path.name == "sub":
            raise PermissionError(13, "Permission denied")  # as root, who runs tests in containers, one may read all
        return really(path)

    monkeypatch.setattr("os.scandir", scandir)
    [(name, reason)] = find_photos([str(folder)]).unreadable
    assert name.endswith("sub")
    assert reason == "the folder can't be read: Permission denied"


@pytest.mark.parametrize(
    "url", ["https://example.org/a.jpg?x=1", "s3://bucket/a.jpg", "file:///a.jpg", "http:/a/b.jpg"]
)
def test_urls_are_refused(url: str) -> None:
    with pytest.raises(CommandError, match="is a URL"):
        refuse_url(url)


@pytest.mark.parametrize("path", ["a.jpg", "/a/b.jpg", "C:\\a.jpg", "a:b.jpg", "-"])
def test_paths_are_no_urls(path: str) -> None:
    refuse_url(path)


@given(st.lists(st.from_regex(r"(x/)?[ab](\.(jpg|png)){1,3}", fullmatch=True), unique=True, max_size=12))
def test_no_two_photos_have_the_same_results(given_names: list[str]) -> None:
    stems = _stems(given_names)
    assert len(set(stems.values())) == len(given_names)
    assert all(name.startswith(stem) for name, stem in stems.items())
