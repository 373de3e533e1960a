"""The marks, and ``docs/reliability.md``, which has the figures of the last measurement."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmarks.hostile.kinds import GROUPS, KINDS
from benchmarks.hostile.measure import Outcome, Waits
from benchmarks.hostile.table import AFTER, BEFORE, PAGE, load, missed, save, with_table

QUICK = Waits(median=2.0, worst=9.0, worst_loop=1.0, count=50, failed={})
ANSWERED = Waits(median=50.0, worst=90.0, worst_loop=5.0, count=20, failed={})
KEPT = Outcome("garbage", QUICK, ANSWERED, QUICK, ANSWERED, idle_mib=340, peak_mib=1000, left_mib=400, settled_s=2)


def test_names_are_unique() -> None:
    assert len(KINDS) == sum(map(len, GROUPS.values()))


def test_marks() -> None:
    assert not missed(KEPT)
    assert missed(replace(KEPT, health=replace(QUICK, worst=253)))
    assert missed(replace(KEPT, answers=replace(ANSWERED, worst=1051)))
    assert missed(replace(KEPT, answers=replace(ANSWERED, failed={"HTTP 429": 1})))
    assert missed(replace(KEPT, peak_mib=340 + 512 + 151))
    assert missed(replace(KEPT, left_mib=441))
    assert missed(replace(KEPT, sockets_left=1))
    assert missed(replace(KEPT, figures_left={"hiseg_held_bytes": 7}))
    assert missed(replace(KEPT, facts={"broken": "what it promises"}))
    assert missed(replace(KEPT, kind="stop-hanging-on"))  # it didn't end
    assert not missed(replace(KEPT, kind="stop-hanging-on", ended_s=30))


def test_outcomes_are_kept_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    save(file, {"garbage": KEPT})
    other = replace(KEPT, kind="pipelined")
    save(file, {"pipelined": other})
    assert load(file) == {"garbage": KEPT, "pipelined": other}


def test_the_page_has_every_kind_and_the_figures_of_the_last_measurement() -> None:
    page = PAGE.read_text()
    assert with_table(page, load(BEFORE), load(AFTER)) == page, "run .venv/bin/python -m benchmarks.hostile"
    assert not [name for name in KINDS if f"| `{name}` |" not in page]
