"""Targets are parsed from the setting and resolved to addresses."""

from __future__ import annotations

import asyncio

import pytest

from hiseg.engines.triton.address import Target, parse_targets, resolve


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        ("triton://a:8001", [Target("a", 8001)]),
        ("triton://a:1, b:2,a:1", [Target("a", 1), Target("b", 2)]),
        ("triton://triton.internal", [Target("triton.internal", 8001)]),
        ("triton://[::1]:9,10.0.0.1", [Target("::1", 9), Target("10.0.0.1", 8001)]),
    ],
)
def test_targets_are_parsed(text: str, targets: list[Target]) -> None:
    assert list(parse_targets(text)) == targets


@pytest.mark.parametrize(
    "text", ["", "a:8001", "http://a", "triton://", "triton://a,,b", "triton://a:x", "triton://a:99999", "triton://a/b"]
)
def test_an_invalid_target_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not|it is"):
        parse_targets(text)


def test_names_are_resolved_and_unknown_ones_have_no_addresses() -> None:
    targets = parse_targets("triton://localhost:7,127.0.0.1:8,[::1]:9,no.such.host.invalid:10")
    assert asyncio.run(resolve(targets)) == {"127.0.0.1:7", "127.0.0.1:8", "[::1]:9"}


def test_a_target_is_written_as_in_an_address() -> None:
    assert [str(each) for each in parse_targets("triton://a,[::1]:9")] == ["a:8001", "[::1]:9"]
