"""Notes on an image and its boxes where the answer has no place for them: a PNG has them in a header."""

from __future__ import annotations

import json
from collections.abc import Sequence

NOTES_HEADER = "X-Hiseg-Notes"
MAX_NOTES_BYTES = 1024
"""Most bytes of the header's value: proxies take 4 or 8 KiB of headers, nginx 4 KiB by default."""


def notes_headers(notes: Sequence[str]) -> dict[str, str]:
    """The header with the notes as a list in JSON, in ASCII; no header if there are none.

    Notes that would make it longer than :data:`MAX_NOTES_BYTES` are left out, and the last one says how many.
    """
    if not notes:
        return {}
    for count in range(len(notes), -1, -1):
        left_out = len(notes) - count
        ending = [f"{left_out} more; the answer as JSON has all of them"] if left_out else []
        text = json.dumps([*notes[:count], *ending])
        if len(text) <= MAX_NOTES_BYTES:
            break
    return {NOTES_HEADER: text}
