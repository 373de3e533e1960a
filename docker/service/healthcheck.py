"""Health check of the container: exits with 0 if ``/readyz`` answers 200, else with 1.

The image has no curl, and this script starts faster than the ``hiseg`` command.
"""

from __future__ import annotations

import os
import sys
from http.client import HTTPConnection


def main() -> int:
    """Ask the service on this machine whether it is ready, and print its answer; return the exit status."""
    connection = HTTPConnection("127.0.0.1", int(os.environ.get("HISEG_PORT", "8000")), timeout=2)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        print(answer.read().decode(errors="replace"))
    except OSError as error:
        print(error)
        return 1
    return 0 if answer.status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
