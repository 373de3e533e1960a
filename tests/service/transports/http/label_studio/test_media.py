"""Images that a task refers to are read from the allowed places only."""

from __future__ import annotations

import base64
import os
import unicodedata
from pathlib import Path
from urllib.parse import quote

import pytest

from hiseg.api.json_reader import LongText
from hiseg.core.errors import InvalidRequest, TooLarge
from hiseg.settings import Settings
from hiseg.transports.http.label_studio.media import Media


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (
        "media/upload/1/a b.jpg",
        "media/upload/1/a+b.jpg",
        "media/upload/1/50%.jpg",
        "media/upload/1/x%20y.jpg",
        "media/upload/1/фото_ü.jpg",
        unicodedata.normalize("NFD", "media/upload/1/décomposé.jpg"),
        "files/sub/c.jpg",
        "files/a+b.jpg",
        "files/plus c.jpg",
        "files/ü/写真 1#.jpg",
        "media/secret.jpg",
        "outside.jpg",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    (tmp_path / "files/inward.jpg").symlink_to("sub/c.jpg")
    (tmp_path / "files/outward.jpg").symlink_to(tmp_path / "outside.jpg")
    (tmp_path / "files/parent").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "files/pipe")
    return tmp_path


@pytest.fixture
def media(folder: Path) -> Media:
    return Media(
        Settings(
            label_studio_media_root=folder / "media", label_studio_document_root=folder / "files", max_image_bytes=100
        )
    )


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("/data/upload/1/a%20b.jpg", "media/upload/1/a b.jpg"),
        ("https://labels.example/data/upload/1/a%20b.jpg?x=1", "media/upload/1/a b.jpg"),
        ("/data/local-files/?d=sub/c.jpg", "files/sub/c.jpg"),
        ("/data/local-files?d=sub%2Fc.jpg", "files/sub/c.jpg"),
        ("/data/local-files/?d=/sub/./c.jpg", "files/sub/c.jpg"),
        ("/data/local-files/?d=inward.jpg", "files/sub/c.jpg"),
        # Installed under a path of its own.
        ("/label-studio/data/upload/1/a%20b.jpg", "media/upload/1/a b.jpg"),
        ("http://host:8080/label-studio/data/upload/1/a%20b.jpg", "media/upload/1/a b.jpg"),
        ("https://host/a/b/c/data/local-files/?d=sub/c.jpg", "files/sub/c.jpg"),
        ("/label-studio/data/local-files?d=sub/c.jpg", "files/sub/c.jpg"),
        ("data/upload/1/a%20b.jpg", "media/upload/1/a b.jpg"),
        # As exports and other storages name what was uploaded.
        ("upload/1/a%20b.jpg", "media/upload/1/a b.jpg"),
        ("/upload/1/a b.jpg", "media/upload/1/a b.jpg"),
        ("/storage-data/uploaded/?filepath=upload/1/a%20b.jpg", "media/upload/1/a b.jpg"),
        ("http://host/ls/storage-data/uploaded/?filepath=upload%2F1%2Fa+b.jpg", "media/upload/1/a b.jpg"),
        # Names that are encoded, or not.
        ("/data/upload/1/a b.jpg", "media/upload/1/a b.jpg"),
        ("/data/upload/1/a+b.jpg", "media/upload/1/a+b.jpg"),
        ("/data/upload/1/a%2Bb.jpg", "media/upload/1/a+b.jpg"),
        ("/data/upload/1/50%.jpg", "media/upload/1/50%.jpg"),
        ("/data/upload/1/50%25.jpg", "media/upload/1/50%.jpg"),
        ("/data/upload/1/x%2520y.jpg", "media/upload/1/x%20y.jpg"),
        ("/data/upload/1/x%20y.jpg", "media/upload/1/x%20y.jpg"),
        ("/data/upload/1/фото_ü.jpg", "media/upload/1/фото_ü.jpg"),
        ("/data/upload/1/%D1%84%D0%BE%D1%82%D0%BE_%C3%BC.jpg", "media/upload/1/фото_ü.jpg"),
        ("/data/upload/1/décomposé.jpg", unicodedata.normalize("NFD", "media/upload/1/décomposé.jpg")),
        ("/data/local-files/?d=a%2Bb.jpg", "files/a+b.jpg"),
        ("/data/local-files/?d=a+b.jpg", "files/a+b.jpg"),
        ("/data/local-files/?d=plus+c.jpg", "files/plus c.jpg"),
        ("/data/local-files/?d=plus%20c.jpg", "files/plus c.jpg"),
        ("/data/local-files/?d=%C3%BC/%E5%86%99%E7%9C%9F%201%23.jpg", "files/ü/写真 1#.jpg"),
        ("/data/local-files/?d=sub%5Cc.jpg", "files/sub/c.jpg"),
        ("/data/local-files/?x=1&d=nobody.jpg&d=sub/c.jpg", "files/sub/c.jpg"),
    ],
)
def test_files_in_the_configured_folders_are_read(media: Media, folder: Path, reference: str, name: str) -> None:
    found = media.find(reference, "image")
    assert isinstance(found, Path)
    assert found.read_bytes() == name.encode()


@pytest.mark.parametrize(
    "reference",
    [
        "/data/upload/../secret.jpg",
        "/label-studio/data/upload/../secret.jpg",
        "/data/upload/1/..%5C..%5Csecret.jpg",
        "/data/upload/%252e%252e/secret.jpg",
        "upload/../secret.jpg",
        "/storage-data/uploaded/?filepath=upload/../secret.jpg",
        "/storage-data/uploaded/?filepath=secret.jpg",
        "/storage-data/uploaded/?filepath=../secret.jpg",
        "/storage-data/uploaded/",
        "/data/upload/1/%FF.jpg",
        "/data/local-files/?d=..%5Coutside.jpg",
        "/data/local-files/?d=",
        "/data/upload/%2e%2e/secret.jpg",
        "/data/upload/1/nobody.jpg",
        "/data/upload/1",
        "/data/upload/",
        "/data/local-files/?d=../outside.jpg",
        "/data/local-files/?d=%2e%2e%2foutside.jpg",
        "/data/local-files/?d=sub/../../outside.jpg",
        "/data/local-files/?d=outward.jpg",
        "/data/local-files/?d=parent/outside.jpg",
        "/data/local-files/?d=pipe",
        "/data/local-files/?d=a%00b",
        "/data/local-files/?d=" + "a" * 5000,
        "/data/local-files/?d=/etc/passwd",
        "/data/local-files/",
    ],
)
def test_files_outside_of_the_folders_are_refused(media: Media, reference: str) -> None:
    with pytest.raises(InvalidRequest, match="image: there is no such file in the folder"):
        media.find(reference, "image")


@pytest.mark.parametrize(
    "reference",
    ["http://example.com/a.jpg", "s3://bucket/a.jpg", "file:///etc/passwd", "/etc/passwd", "a.jpg", "", "http://[x"],
)
def test_nothing_is_fetched(media: Media, reference: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        media.find(reference, "data.image")
    assert raised.value.field == "data.image"


def test_without_folders_there_are_no_files() -> None:
    for reference in ("/data/upload/1/a.jpg", "/data/local-files/?d=a.jpg"):
        with pytest.raises(InvalidRequest, match="label_studio_media_root"):
            Media(Settings()).find(reference, "image")


def test_large_files_are_refused_unread(media: Media, folder: Path) -> None:
    (folder / "files/large.jpg").write_bytes(bytes(101))
    with pytest.raises(TooLarge) as raised:
        media.find("/data/local-files/?d=large.jpg", "image")
    assert (raised.value.field, raised.value.limit, raised.value.value) == ("image", 100, 101)


def test_data_in_the_task(media: Media) -> None:
    assert media.find("data:image/png;base64," + base64.b64encode(b"abc").decode(), "image") == b"abc"
    for bad in ("data:image/png,abc", "data:image/png;base64,!", "data:", 7, None):
        with pytest.raises(InvalidRequest, match="image"):
            media.find(bad, "image")


@pytest.mark.parametrize("change", ["vanish", "folder", "pipe", "loop"])
def test_files_that_change_after_they_were_found_are_not_there(media: Media, folder: Path, change: str) -> None:
    found = media.find("/data/local-files/?d=sub/c.jpg", "image")
    assert isinstance(found, Path)
    found.unlink()
    if change == "folder":
        found.mkdir()
    elif change == "pipe":
        os.mkfifo(found)
    elif change == "loop":
        found.symlink_to(found)
    with pytest.raises(InvalidRequest, match="image: there is no such file in the folder"):
        media.open(found, "image")


def test_files_that_may_not_be_read_are_not_there(media: Media, folder: Path) -> None:
    found = media.find("/data/local-files/?d=sub/c.jpg", "image")
    assert isinstance(found, Path)
    found.chmod(0)
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(65534)  # root may read everything
        with pytest.raises(InvalidRequest, match="image: there is no such file in the folder"):
            media.open(found, "image")
    finally:
        os.seteuid(user)


def test_no_more_of_a_file_is_read_than_was_counted(media: Media, folder: Path) -> None:
    found = media.find("/data/local-files/?d=sub/c.jpg", "image")
    assert isinstance(found, Path)
    file, size = media.open(found, "image")
    with file:
        found.write_bytes(bytes(1000))
        assert len(media.read(file, size, "image")) == size
    with pytest.raises(TooLarge):
        media.open(found, "image")


@pytest.mark.parametrize("reference", ["/data/local-files/?" + "d=a&" * 100_000, "x" * 10**6])
def test_a_long_reference_is_not_looked_at(media: Media, reference: str) -> None:
    with pytest.raises(InvalidRequest, match="longer than"):
        media.find(reference, "image")


@pytest.mark.parametrize("size", [10, 5000])
def test_images_in_the_task_are_read_as_clients_write_them(media: Media, size: int) -> None:
    image = bytes(range(250)) * (size // 10)
    lines = base64.encodebytes(image).decode()
    forms = (
        f"data:image/png;base64,{lines}",
        f"DATA:image/png;name=a.png;BASE64,{lines}",
        f"\n data:;base64,{lines.strip().rstrip('=')}",
        "data:image/png;base64," + quote(lines, safe=""),
    )
    for form in forms:
        assert media.find(form, "image") == image
        assert media.find(LongText(form.replace("\n", "\\n").encode(), is_escaped=True), "image") == image
    with pytest.raises(InvalidRequest, match="'!' at character 27"):
        media.find("data:image/png;base64,AAAA!AAA", "image")
