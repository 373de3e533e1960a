"""What a caller would like to get, by the qualities that headers such as ``Accept`` give (RFC 9110, section 12).

Werkzeug and WebOb have this too, but come with all that else is in a web framework.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

MAX_MEMBERS = 64
"""Members of a header that are looked at; browsers send eight or nine."""
MAX_PARAMETERS = 8
"""Parts of a member that are looked at, its name included."""
JSON, HTML = "application/json", "text/html"
SAME = {"text/json": JSON, "application/x-json": JSON, "image/x-png": "image/png", "*": "*/*"}
"""Other names of what is offered; Java's oldest client has the last."""
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+"?')
_QUALITY = re.compile(r"0?\.\d+|0\.?|1(\.0*)?", re.ASCII)


def qualities(header: str) -> dict[str, float]:
    """Parse a header: how much each thing is wanted, 0 (not at all) to 1, in the order of the header.

    Names are in small letters and without parameters. Members that are malformed are left out; of two for the same
    thing the higher one counts.
    """
    found: dict[str, float] = {}
    for member in _QUOTED.sub('""', header.lower()).split(",", MAX_MEMBERS)[:MAX_MEMBERS]:
        name, *parameters = (part.strip() for part in member.split(";", MAX_PARAMETERS)[:MAX_PARAMETERS])
        given = [part.partition("=")[2].strip() for part in parameters if part.partition("=")[0].strip() == "q"]
        if name and (not given or _QUALITY.fullmatch(given[0])):
            found[name] = max(found.get(name, 0), float(given[0]) if given else 1)
    return found


def preferred(accept: str, offered: Sequence[str]) -> str | None:
    """Choose a media type by ``Accept``; without the header, or with nothing valid in it, it is the first one.

    Of two that are wanted equally it is the one that the header has first, and else the first one offered. A browser
    that opens a page (it says that it would like HTML) gets the first one too, for its other wishes are those for
    pictures in pages.

    Args:
        accept: value of the header.
        offered: media types that can be had, in small letters.

    Returns:
        One of them; None: the caller wants none of them.
    """
    if accept in ("", "*/*"):
        return offered[0]
    wanted: dict[str, float] = {}
    for name, quality in qualities(accept).items():
        wanted.setdefault(SAME.get(name, name), quality)
    wanted = {name: quality for name, quality in wanted.items() if "/" in name}
    if not wanted:
        return offered[0]
    places = list(wanted)
    chosen, best = None, (0.0, 0)
    for each in offered:
        for name in (each, each.partition("/")[0] + "/*", "*/*"):
            if name in wanted:
                rank = (wanted[name], -places.index(name))
                if wanted[name] > 0 and (chosen is None or (rank > best and not wanted.get(HTML))):
                    chosen, best = each, rank
                break
    return chosen
