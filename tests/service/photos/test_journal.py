"""What is done stays known, whenever a run ends, and nothing of another kind gets between it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hiseg.core.command_errors import CommandError
from hiseg.photos.journal import FOREGROUND_MODEL, Entry, key_of, open_journal

OPTIONS = {"threshold": 0.5, "mask_format": "png"}


def fill(path: Path) -> bytes:
    """A journal of one photo; returns what is in it."""
    (path.parent / "a.png").write_bytes(b"?")
    with open_journal(path, path.parent, OPTIONS, overwrite=False) as journal:
        assert journal.is_new
        journal.check_model("hiseg_b0/3")
        journal.add(Entry("a.jpg", "k", ("a.png",), 12))
    return path.read_bytes()


def test_what_is_done_is_known_the_next_time(tmp_path: Path) -> None:
    fill(tmp_path / "j")
    with open_journal(tmp_path / "j", tmp_path, OPTIONS, overwrite=False) as journal:
        assert journal.is_done("a.jpg", "k")
        assert not journal.is_done("a.jpg", "other boxes")
        assert not journal.is_done("b.jpg", "k")
        assert (journal.is_new, journal.lines_end) == (False, 12)
        (tmp_path / "a.png").unlink()
        assert not journal.is_done("a.jpg", "k")


def test_it_may_end_at_any_byte(tmp_path: Path) -> None:
    path = tmp_path / "j"
    whole = fill(path)
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with open_journal(path, tmp_path, OPTIONS, overwrite=False) as journal:
            assert not journal.is_done("a.jpg", "k")
            journal.add(Entry("b.jpg", "k", ()))
        with open_journal(path, tmp_path, OPTIONS, overwrite=False) as journal:
            assert journal.is_done("b.jpg", "k")


def test_other_options_and_models_are_refused_unless_all_is_done_again(tmp_path: Path) -> None:
    fill(tmp_path / "j")
    with (
        pytest.raises(CommandError, match=r"--threshold was 0.5 and is 0.7 now; write elsewhere, or --overwrite"),
        open_journal(tmp_path / "j", tmp_path, OPTIONS | {"threshold": 0.7}, overwrite=False),
    ):
        pass
    with (
        pytest.raises(CommandError, match="of the model hiseg_b0/3, and now hiseg_b1/1 answers"),
        open_journal(tmp_path / "j", tmp_path, OPTIONS, overwrite=False) as journal,
    ):
        journal.check_model("hiseg_b1/1")
    with open_journal(tmp_path / "j", tmp_path, {}, overwrite=True) as journal:
        assert not journal.is_done("a.jpg", "k")
        journal.check_model("hiseg_b1/1")


@pytest.mark.parametrize("content", [b"[]\n", b"{}\n", b"?\n", b'{"options": {"threshold": 0.5}}\n{"photo": 1}\n'])
def test_a_file_of_others_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "j"
    path.write_bytes(content)
    with pytest.raises(CommandError), open_journal(path, tmp_path, {"threshold": 0.5}, overwrite=False):
        pass
    assert path.read_bytes() == content


def test_one_run_at_a_time(tmp_path: Path) -> None:
    with (
        open_journal(tmp_path / "j", tmp_path, OPTIONS, overwrite=False),
        pytest.raises(CommandError, match="another run writes to"),
        open_journal(tmp_path / "j", tmp_path, OPTIONS, overwrite=True),
    ):
        pass
    assert not (tmp_path / "j").exists()  # nothing was done


def test_keys_change_with_the_photo_its_boxes_and_the_names_of_its_results(tmp_path: Path) -> None:
    photo = tmp_path / "a.jpg"
    photo.write_bytes(b"1")
    keys = [key_of(photo, None, "a"), key_of(photo, [], "a"), key_of(photo, [[1, 2, 3, 4]], "a")]
    keys.append(key_of(photo, None, "a.jpg"))
    photo.write_bytes(b"12")
    keys.append(key_of(photo, None, "a"))
    assert len({*keys}) == len(keys)
    assert key_of(photo, None, "a") == keys[-1]


def test_images_without_boxes_may_be_of_another_model_than_those_with(tmp_path: Path) -> None:
    for _ in range(2):
        with open_journal(tmp_path / "j", tmp_path, OPTIONS, overwrite=False) as journal:
            journal.check_model("hiseg_foreground/1", FOREGROUND_MODEL)
            journal.check_model("hiseg_b0/3")
            with pytest.raises(CommandError, match="of the model hiseg_foreground/1, and now hiseg_b1/2 answers"):
                journal.check_model("hiseg_b1/2", FOREGROUND_MODEL)
