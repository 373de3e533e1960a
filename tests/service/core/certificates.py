"""Makes certificates for tests, with the program ``openssl``."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path


def self_signed(folder: Path, name: str, days: int = 90, names: Sequence[str] = ("localhost",)) -> tuple[Path, Path]:
    """Make NAME.crt, a certificate that signs itself, and its key NAME.key.

    Args:
        folder: where they are made.
        name: of the files.
        days: for how many days from now it is valid; -1: it has expired.
        names: of the hosts that may show it.
    """
    cert, key, request = folder / f"{name}.crt", folder / f"{name}.key", folder / f"{name}.csr"
    make = [
        "openssl",
        "req",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=localhost",
        "-keyout",
        key,
        "-out",
        request,
    ]
    (folder / "names").write_text(f"subjectAltName={','.join(f'DNS:{host}' for host in names)}")
    sign = [
        "openssl",
        "x509",
        "-req",
        "-in",
        request,
        "-signkey",
        key,
        "-days",
        f"{days}",
        "-extfile",
        folder / "names",
    ]
    for command in (make, [*sign, "-out", cert]):
        subprocess.run(command, check=True, capture_output=True)
    return cert, key
