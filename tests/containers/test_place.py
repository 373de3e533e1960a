"""What is in the way of a Docker engine, and where Debian's packages come from."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.containers.place import PROGRAMS, Machine, first_mirror

FIT = Machine(root=True, system="Linux", distribution="debian", programs=frozenset(PROGRAMS), engines=False)


def test_a_machine_with_all_that_is_needed() -> None:
    assert FIT.obstacle() is None


@pytest.mark.parametrize(
    ("machine", "reason"),
    [
        (replace(FIT, root=False), "only root may start a Docker engine"),
        (replace(FIT, system="Darwin", distribution=""), "the engine comes from Debian's packages, and this is Darwin"),
        (replace(FIT, distribution="fedora"), "the engine comes from Debian's packages, and this is fedora"),
        (replace(FIT, programs=FIT.programs - {"runc"}), "there is no runc; `make test` installs what it may"),
        (replace(FIT, engines=True), "a Docker engine runs here, and a second one would overwrite its firewall rules"),
    ],
)
def test_what_is_in_the_way_is_one_line(machine: Machine, reason: str) -> None:
    assert machine.obstacle() == reason


def test_the_mirror_is_one_with_all_of_debian() -> None:
    lines = ["http://a/debian-security/ bookworm-security", "http://b/debian/ bookworm", "http://c/debian/ bookworm"]
    assert first_mirror(lines) == "http://b/debian/"
    assert first_mirror([]) is None
