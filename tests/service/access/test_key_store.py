"""API keys from the settings and from a file that changes, and the limits of each key."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from hiseg.access.key_store import CHECK_INTERVAL_S, KeyStore, KeysUnusable, digest, new_key, read_keys
from hiseg.access.quota import ClientQuota, Limits
from hiseg.core.errors import Overloaded, Unauthorized

SECRET = "correct horse"


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def shown(key: str) -> list[tuple[str, str]]:
    return [("x-api-key", key)]


def test_without_keys_callers_are_known_by_address() -> None:
    key_store = KeyStore()
    assert not key_store.is_needed
    caller = key_store.authenticate([])
    assert (caller.name, caller.client_id("10.0.0.1")) == ("", "10.0.0.1")


def test_new_keys_open_and_are_no_ones_else() -> None:
    key, stored = new_key()
    assert len(key) >= 40
    assert new_key()[0] != key
    key_store = KeyStore([f"web:{stored}"])
    assert key_store.authenticate(shown(key)).client_id("10.0.0.1") == "key:web"
    for wrong in (stored, key[:-1], ""):
        with pytest.raises(Unauthorized, match="x-api-key"):
            key_store.authenticate(shown(wrong))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-api-key", "{}"),
        ("x-api-key", " {}\t "),
        ("authorization", "Bearer {}"),
        ("authorization", "bearer\t{} "),
        ("authorization", " BEARER  {}"),
    ],
)
def test_blanks_around_a_key_do_not_count(name: str, value: str) -> None:
    KeyStore([digest(SECRET)]).authenticate([(name, value.format(SECRET))])


@pytest.mark.parametrize("value", ["bearer{}", "basic {}", "bear er {}", "{}", ""])
def test_other_schemes_are_no_keys(value: str) -> None:
    with pytest.raises(Unauthorized):
        KeyStore([digest(SECRET)]).authenticate([("authorization", value.format(SECRET))])


def test_two_keys_are_looked_at_and_no_more() -> None:
    store = KeyStore([digest(SECRET)])
    store.authenticate([*shown("wrong"), *shown(SECRET)])
    with pytest.raises(Unauthorized):
        store.authenticate([*shown(SECRET), *shown("wrong"), ("authorization", "bearer wrong")])


def test_a_long_text_is_no_key() -> None:
    with pytest.raises(Unauthorized):
        KeyStore([digest("x" * 201)]).authenticate(shown("x" * 201))
    KeyStore([digest("x" * 200)]).authenticate(shown("x" * 200))


def test_a_file_without_keys_refuses_everybody(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("# none yet\n")
    with pytest.raises(Unauthorized):
        KeyStore(file=file).authenticate(shown(SECRET))


def test_keys_are_reloaded_when_the_file_changes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    file, clock = tmp_path / "keys", Clock()
    file.write_text(f"web {digest('old')}\n")
    key_store = KeyStore([f"ops:{digest('fixed')}"], file, clock=clock)
    web = key_store.authenticate(shown("old"))
    file.write_text(f"web {digest('old')}  # until Friday\nweb {digest('new key')} \n")
    with pytest.raises(Unauthorized):
        key_store.authenticate(shown("new key"))  # not looked at again yet
    clock.now += CHECK_INTERVAL_S
    assert key_store.authenticate(shown("new key")) is key_store.authenticate(shown("old")) is web, (
        "one caller, with one limit"
    )
    file.write_text(f"web {digest('new key')}\n")
    clock.now += CHECK_INTERVAL_S
    with pytest.raises(Unauthorized):
        key_store.authenticate(shown("old"))
    for damage in (lambda: file.write_text("web half-a-line\n"), file.unlink):
        damage()
        clock.now += CHECK_INTERVAL_S
        assert key_store.authenticate(shown("new key")) is web
        assert key_store.authenticate(shown("fixed")).name == "ops"
        assert "not usable" in caplog.messages[-1]
        assert "half-a-line" not in caplog.text


def test_an_invalid_file_is_an_error_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(KeysUnusable, match="missing"):
        KeyStore(file=tmp_path / "missing")
    file = tmp_path / "keys"
    file.write_text(f"\nweb {SECRET}\n")
    with pytest.raises(KeysUnusable, match="line 2") as caught:
        KeyStore(file=file)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("words", ["rate=-1", "rate=nan", "rate=x", "concurrent=1.5", "rat=1", "rate"])
def test_invalid_limits_are_refused(words: str) -> None:
    with pytest.raises(ValueError, match="line 1"):
        read_keys(f"web {digest(SECRET)} {words}", Limits())


def test_limits_of_a_key() -> None:
    usual = Limits(5, 1)
    first, second = read_keys(f"web {digest('a')} rate=0.5\nops {digest('b')} concurrent=0", usual)
    assert (first.limits, second.limits) == (Limits(0.5, 1), Limits(5, 0))
    clock = Clock()
    caller = ClientQuota("web", first.limits, clock)
    caller.take_token()
    with pytest.raises(Overloaded, match="'web'") as caught:
        caller.take_token()
    assert (caught.value.reason, caught.value.retry_after) == ("key_rate", 2)
    clock.now += 2.001
    caller.take_token()
    with caller.acquire(), pytest.raises(Overloaded) as caught, caller.acquire():
        pass
    assert caught.value.reason == "key_concurrent"
    assert caller.active == 0
