"""Makes pydantic's schemas plainer: clients that are made of the document take all that stands in it at its word."""

from __future__ import annotations

import json
from typing import Any

NULL = {"type": "null"}


def plain(node: Any) -> Any:
    """Copy schemas, with these changes:

    - Titles only repeat names, and are left out.
    - Null stands for what is left out, and answers do leave it out.
    - Defaults are told in words: some clients would send them all, others take what has one for required.
    - A field with one possible value, which says what kind of object it is of, is always there.
    - A row of numbers is a list of so many: some clients can't carry tuples through their types.
    - Descriptions end before the list of attributes, whose descriptions stand beside them.
    """
    if isinstance(node, list):
        return [plain(each) for each in node]
    if not isinstance(node, dict):
        return node
    found = {name: plain(value) for name, value in node.items() if name != "title" or isinstance(value, dict)}
    if isinstance(kinds := found.get("anyOf"), list) and NULL in kinds:
        del found["anyOf"]
        kinds = [each for each in kinds if each != NULL]
        found = (kinds[0] if len(kinds) == 1 else {"anyOf": kinds}) | found
    if isinstance(items := found.get("prefixItems"), list) and all(each == items[0] for each in items):
        del found["prefixItems"]
        found["items"] = items[0]
    if isinstance(properties := found.get("properties"), dict):
        known = [name for name, each in properties.items() if "const" in each]
        if required := list(dict.fromkeys([*known, *found.get("required", [])])):
            found["required"] = required
    if isinstance(text := found.get("description"), str):
        found["description"] = text.partition("\n\nAttributes:")[0]
    if "default" in found and not isinstance(found["default"], dict):
        default, text = found.pop("default"), found.get("description")
        if default not in (None, "") and "const" not in found and isinstance(text, str):
            shown = default if isinstance(default, str) else json.dumps(default)
            found["description"] = f"{text}; `{shown}` if left out"
    return found
