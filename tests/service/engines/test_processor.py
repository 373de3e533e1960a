"""What the processor can do is read from what Linux says of it, on x86 and on ARM."""

from __future__ import annotations

from pathlib import Path

import pytest

from hiseg.engines.processor import CPUINFO, int8_instructions


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx2 avx512f avx512_vnni\nbugs\t: avx_vnni\n", ["avx512_vnni"]),
        ("flags\t\t: avx_vnni amx_int8 avx_vnni_int8\n", ["avx_vnni", "amx_int8"]),
        ("flags\t\t: fpu avx2 avx512f\n", []),
        ("processor\t: 0\nFeatures\t: fp asimd asimddp i8mm\n", ["i8mm", "asimddp"]),
        ("", []),
    ],
)
def test_flags_are_found_on_either_kind_of_processor(tmp_path: Path, text: str, found: list[str]) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    assert int8_instructions(tmp_path / "cpuinfo") == found


def test_a_system_that_does_not_say_has_none(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    assert int8_instructions(tmp_path / "nowhere") == int8_instructions(tmp_path / "binary") == []


@pytest.mark.skipif(not CPUINFO.exists(), reason="no Linux")
def test_this_machine_says_what_it_has() -> None:
    words = CPUINFO.read_text().split()
    assert all(name in words for name in int8_instructions())
    assert bool(int8_instructions()) == ("avx512_vnni" in words or "avx_vnni" in words or "asimddp" in words)
