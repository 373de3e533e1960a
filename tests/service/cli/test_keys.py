"""``hiseg key`` prints a new key and its digest."""

from __future__ import annotations

import subprocess

from benchmarks.harness.paths import HISEG
from hiseg.access.key_store import KeyStore


def test_a_key_and_its_digest_are_printed() -> None:
    done = subprocess.run([HISEG, "key", "web"], capture_output=True, text=True, check=True)
    (line,) = done.stdout.splitlines()
    secret = done.stderr.splitlines()[0].split(": ", 1)[1]
    assert KeyStore([":".join(line.split())]).authenticate([("x-api-key", secret)]).name == "web"
    assert subprocess.run([HISEG, "key", "a b"], capture_output=True, check=False).returncode == 2
