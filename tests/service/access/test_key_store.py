"""API keys from the settings and from a file that changes, and the limits of each key."""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
from contextlib import nullcontext, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiseg.access.key_store import KeyStore, KeysUnusable
from hiseg.access.keys import digest, new_key, read_keys
from hiseg.access.quota import ClientQuota, Limits
from hiseg.core.errors import Overloaded, Unauthorized
from hiseg.core.settled_files import LOOK_INTERVAL_S, SETTLED_S

SECRET = "correct horse"


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def settle(key_store: KeyStore, clock: Clock) -> None:
    """Look at the file as often as the service does until a change of it counts."""
    key_store.look()
    clock.now += SETTLED_S
    key_store.look()


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
    settle(key_store, clock)
    assert key_store.authenticate(shown("new key")) is key_store.authenticate(shown("old")) is web, (
        "one caller, with one limit"
    )
    file.write_text(f"web {digest('new key')}\n")
    settle(key_store, clock)
    with pytest.raises(Unauthorized):
        key_store.authenticate(shown("old"))
    damages = (
        lambda: file.write_text("web half-a-line\n"),
        lambda: file.write_text(f"web {digest('old')}\nweb {digest('new key')} rate=1\n"),
        lambda: file.write_text("# nobody\n"),
        lambda: file.write_bytes(b"\xff"),
        lambda: file.write_bytes(b"#" * 2_000_000),
        file.unlink,
        lambda: file.symlink_to("/dev/zero"),
        lambda: (file.unlink(), file.mkdir()),
        lambda: (file.rmdir(), os.mkfifo(file)),
    )
    for damage in damages:
        caplog.clear()
        damage()
        for _ in range(3):
            settle(key_store, clock)
        assert key_store.authenticate(shown("new key")) is web
        assert key_store.authenticate(shown("fixed")).name == "ops"
        (message,) = caplog.messages
        assert "not usable" in message
        assert "half-a-line" not in message
    file.unlink()
    file.write_text(f"new {digest('newer')}\n")
    settle(key_store, clock)
    assert caplog.messages[-1].endswith(
        f"API keys: 2, of 2 clients (1 from api_keys, 1 from {file}); new: new; gone: web"
    )
    assert key_store.authenticate(shown("newer")).name == "new"


def test_an_invalid_file_is_an_error_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(KeysUnusable, match="missing"):
        KeyStore(file=tmp_path / "missing")
    file = tmp_path / "keys"
    file.write_text(f"\nweb {SECRET}\n")
    with pytest.raises(KeysUnusable, match="line 2") as caught:
        KeyStore(file=file)
    assert SECRET not in str(caught.value)


INVALID_LIMITS = [
    "rate=-1",
    "rate=nan",
    "rate=x",
    "concurrent=1.5",
    "rat=1",
    "rate",
    "rate=1e-320",
    "rate=inf",
    "rate=0x1",
    "concurrent=1_0",
    "concurrent=0x1",
    "rate=0.0001",
    "rate=1_0",
    "rate=٣",
    "concurrent=-1",
    "concurrent=9999999999",
    "rate=+1",
    "rate=1=1",
    "rate=",
]


@pytest.mark.parametrize("words", [*INVALID_LIMITS, "rate=1 rate=2"])
def test_invalid_limits_are_refused(words: str) -> None:
    with pytest.raises(ValueError, match="line 1"):
        read_keys(f"web {digest(SECRET)} {words}".encode(), Limits())


@pytest.mark.parametrize(
    ("listed", "lines", "why"),
    [
        (
            [],
            f"web {digest('a')} rate=5\nops {digest('b')}\nweb {digest('c')}",
            "line 3 gives 'web' other limits than in",
        ),
        ([f"web:{digest('a')}"], f"web {digest('b')} concurrent=1", "line 1 gives 'web' other limits than entry 1 of"),
        ([], f"web {digest('a')}\nops {digest('a')}", "line 2 is the key of line 1 under another name"),
        ([f"web:{digest('a')}", f"ops:{digest('a')}"], "", "entry 2 of api_keys is the key of entry 1"),
    ],
)
def test_keys_that_contradict_each_other_are_refused(tmp_path: Path, listed: list[str], lines: str, why: str) -> None:
    file = tmp_path / "keys"
    file.write_text(lines)
    with pytest.raises(KeysUnusable, match=why.replace("than in", "than")):
        KeyStore(listed, file)


def test_limits_of_a_key() -> None:
    usual = Limits(5, 1)
    first, second = read_keys(f"web {digest('a')} rate=0.5\nops {digest('b')} concurrent=0".encode(), usual)
    assert (first.limits, second.limits) == (Limits(0.5, 1), Limits(5, 0))
    clock = Clock()
    caller = ClientQuota("web", first.limits, clock)
    caller.take_token()
    with pytest.raises(Overloaded, match="'web'") as caught:
        caller.take_token()
    assert (caught.value.reason, caught.value.retry_after) == ("KEY_RATE", 2)
    clock.now += 2.001
    caller.take_token()
    with caller.acquire(), pytest.raises(Overloaded) as caught, caller.acquire():
        pass
    assert caught.value.reason == "KEY_CONCURRENT"
    assert caller.active == 0


OLD = [f"client{number} {digest(str(number))} rate={10 * number + 10}\n".encode() for number in range(5)]
"""Lines of a file whose beginnings are mostly files of keys too."""


@given(st.data())
def test_no_valid_key_is_refused_while_the_file_is_written(data: st.DataObject) -> None:
    """A writer truncates the file and writes it piece by piece, or renames pieces over it, with pauses under the time
    after which a change counts. Keys that are in the old file and in the new one open at every moment."""
    clock = Clock()
    clock.now += data.draw(st.floats(0, 1))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "keys")
        file.write_bytes(b"".join(OLD))
        key_store = KeyStore(file=file, clock=clock)
        quotas = {number: key_store.authenticate(shown(str(number))) for number in range(5)}
        kept = data.draw(st.sets(st.integers(0, 4), min_size=1))
        text, start = b"".join(OLD[number] for number in sorted(kept)), 0
        renames = data.draw(st.booleans())
        while start <= len(text):
            if renames:
                Path(folder, "new").write_bytes(text[:start])
                Path(folder, "new").rename(file)
            else:
                file.write_bytes(text[:start])
            for _ in range(data.draw(st.integers(0, 2))):
                clock.now += data.draw(st.floats(0, (SETTLED_S - 0.01) / 2))
                key_store.look()
            for number in kept:
                quota = key_store.authenticate(shown(str(number)))
                assert quota is quotas[number]
                assert quota.limits.rate == 10 * number + 10
            start += 1 + data.draw(st.integers(0, 100)) if start < len(text) else 1
        file.write_bytes(text)
        for _ in range(5):
            key_store.look()
            clock.now += LOOK_INTERVAL_S
        for number in range(5):
            with nullcontext() if number in kept else pytest.raises(Unauthorized):
                key_store.authenticate(shown(str(number)))


def test_the_file_is_looked_at_in_the_background(tmp_path: Path) -> None:
    async def scenario() -> None:
        file = tmp_path / "keys"
        file.write_text(f"web {digest('old')}\n")
        key_store = KeyStore(file=file)
        async with key_store.watching():
            file.write_text(f"web {digest('new')}\n")
            async with asyncio.timeout(30):
                while True:
                    with suppress(Unauthorized):
                        key_store.authenticate(shown("new"))
                        break
                    await asyncio.sleep(0.1)
        with pytest.raises(Unauthorized):
            key_store.authenticate(shown("old"))

    asyncio.run(scenario())


def test_what_is_said_of_who_may_ask(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("")
    assert KeyStore().describe() == "API keys: none, so everybody who reaches the address may ask"
    assert KeyStore([digest("a")]).describe() == "API keys: 1, of 1 client (1 from api_keys)"
    assert "nobody may ask" in KeyStore(file=file).describe()
