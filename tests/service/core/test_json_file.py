"""Annotation files are read in every encoding of JSON, and those that aren't JSON are named in one line."""

from __future__ import annotations

import codecs
import gzip
import json
import zipfile
from pathlib import Path

import pytest

from hiseg.core.json_file import UnreadableJson, load_json

CONTENT = {"name": "人 Müller.jpg", "score": [1, 2.5]}
TEXT = json.dumps(CONTENT, ensure_ascii=False)


@pytest.mark.parametrize(
    "content",
    [TEXT.encode(encoding) for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32")]
    + [codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), gzip.compress(TEXT.encode(), mtime=0), TEXT.encode() + b"\r\n\n"]
    + [gzip.compress(TEXT.encode("utf-8-sig"), mtime=0), b"\r\n  " + TEXT.encode()],
)
def test_encodings(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    assert load_json(path) == CONTENT


BROKEN = {
    "nothing": (b"", "is empty"),
    "blanks": (b" \n\r\n", "is empty"),
    "a mark alone": (codecs.BOM_UTF8, "is not JSON"),
    "breaks off": (TEXT.encode()[:-4], "ends in the middle, at line 1"),
    "breaks off in a text": (TEXT.encode()[:12], "ends in the middle, at byte 10"),
    "breaks off in gzip": (gzip.compress(TEXT.encode() * 50)[:-20], "can't be read: .*ended"),
    "JSON lines": (b'{"a": 1}\n{"a": 2}\n', "line 2, column 1; a file of JSON lines"),
    "Latin-1": (TEXT.replace("人", "é").encode("latin-1"), "not JSON in utf-8: no character fits byte"),
    "XML": (b"<annotation></annotation>", "Expecting value at line 1, column 1"),
    "ZIP": (b"PK\x03\x04rest", "can't be read: File is not a zip file"),
    "a comma too many": (b'{"a": [1, 2,]}', "at line 1, column"),
    "single quotes": (b"{'a': 1}", "at line 1, column 2"),
    "very deep": (b"[" * 100_000, "nested too deeply"),
    "a huge number": (b"1" * 10_000, "a number has thousands of digits"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_no_json_is_named(tmp_path: Path, kind: str) -> None:
    content, said = BROKEN[kind]
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(UnreadableJson, match=rf"a\.json .*{said}") as raised:
        load_json(path)
    assert "\n" not in str(raised.value)


def test_what_macos_packs_beside_each_file_is_ignored(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("annotations/instances_default.json", TEXT)
        archive.writestr("__MACOSX/annotations/._instances_default.json", b"\0\5")
    assert load_json(tmp_path / "a.zip") == CONTENT


def test_folders_and_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableJson, match="can't be read: Is a directory"):
        load_json(tmp_path)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        load_json(tmp_path / "a.json")
