"""Installs the npm packages that tests need, once, and keeps them for the next run."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from benchmarks.harness.availability import missing


def installed(name: str, *packages: str) -> Path:
    """The ``node_modules`` folder with the packages, or a skip that says why there is none.

    Args:
        name: of the folder that is kept, in the system's folder for temporary files.
        packages: with their versions; they may not need scripts of their own to install.
    """
    folder = Path(tempfile.gettempdir()) / name
    if not shutil.which("node") or not shutil.which("npm"):
        missing("there is no node, or no npm")
    if not (folder / "done").exists():
        folder.mkdir(exist_ok=True)
        command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder), *packages]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            missing(f"npm can't install {packages}: {error.stderr or error}")
        (folder / "done").touch()
    return folder / "node_modules"
