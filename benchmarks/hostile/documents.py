"""Attacks with JSON that is small on the wire and large, or slow, inside."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

from benchmarks.harness.paths import SAMPLE
from benchmarks.hostile.kind import Attack, Kind, Target, repeat
from benchmarks.hostile.wire import post

LABELLING = (
    '<View><Image name="i" value="$image"/><BrushLabels name="b" toName="i"><Label value="p"/></BrushLabels></View>'
)
SEGMENT, INFER, PREDICT = "/v1/segment", "/v2/models/hiseg_b0/infer", "/predict"


def send(build: Callable[[], list[tuple[str, str]]], callers: int = 2) -> Callable[[Target], Attack]:
    """Callers that send documents over and over, in turn; ``build`` gives each with its path."""

    def prepare(target: Target) -> Attack:
        built = [(path, text.encode()) for path, text in build()]
        sent = 0

        def once() -> str:
            nonlocal sent
            path, body = built[sent % len(built)]
            sent += 1
            return post(target, path, body, "application/json")

        return repeat(once, callers)

    return prepare


def sample() -> str:
    """The sample photo in base64."""
    return base64.b64encode(SAMPLE.read_bytes()).decode()


def listed(item: str, count: int) -> str:
    """A list of the same item so many times."""
    return "[" + ",".join([item] * count) + "]"


def predict(regions: int = 0, tasks: int = 0) -> str:
    """A request for predictions with one real task, and so many empty regions and further tasks."""
    image = json.dumps({"image": f"data:image/jpeg;base64,{sample()}"})
    first = f'{{"data":{image},"annotations":[{{"result":{listed("{}", regions)}}}]}}'
    others = ',{"data":{}}' * tasks
    return f'{{"tasks":[{first}{others}],"label_config":{json.dumps(LABELLING)}}}'


def boxes(rows: str) -> str:
    """A request for masks whose boxes are written so."""
    return f'{{"image":"","boxes":{rows}}}'


def unknown_names(count: int) -> str:
    """An object with so many names that mean nothing."""
    return '{"image":""' + "".join(f',"{number:x}":0' for number in range(count)) + "}"


def tensor(data: str) -> str:
    """An inference request whose one tensor has that data."""
    return f'{{"inputs":[{{"name":"image","shape":[1],"datatype":"BYTES","data":{data}}}]}}'


KINDS = (
    Kind(
        "json-wrong-boxes",
        "149,000 values of a wrong type in `boxes`, 0.4 MB",
        send(
            lambda: [
                (SEGMENT, boxes("[" + listed('""', 149_000) + "]")),
                (SEGMENT, boxes(listed('[""]', 9_999))),
            ]
        ),
    ),
    Kind(
        "json-unknown-names",
        "149,000 unknown names in a body, 1.4 MB; 6,000 in a query",
        send(
            lambda: [
                (SEGMENT, unknown_names(149_000)),
                (f"{SEGMENT}?{'&'.join(f'{number:x}=' for number in range(6_000))}", "{}"),
            ]
        ),
    ),
    Kind(
        "json-tensors",
        "149,000 wrong inputs or outputs in an inference request, 0.4 MB",
        send(
            lambda: [
                (INFER, f'{{"inputs":[],"outputs":{listed("{}", 149_000)}}}'),
                (INFER, f'{{"inputs":{listed("0", 149_000)}}}'),
            ]
        ),
    ),
    Kind(
        "json-regions",
        "two million empty regions in a request for predictions, 6 MB",
        send(lambda: [(PREDICT, predict(regions=1_990_000))], callers=1),
    ),
    Kind(
        "json-tasks",
        "1.7 million empty tasks in a request for predictions, 20 MB",
        send(lambda: [(PREDICT, predict(tasks=1_700_000))], callers=1),
    ),
    Kind(
        "json-depth",
        "lists 100,000 deep; a number of a million digits",
        send(
            lambda: [
                (INFER, tensor("[" * 100_000 + "]" * 100_000)),
                (SEGMENT, boxes("[" * 1_000_000 + "]" * 1_000_000)),
                (SEGMENT, boxes(f"[[1{'0' * 1_000_000},1,1,1]]")),
                (SEGMENT, f'{{"image":"","threshold":0.{"1" * 10_000_000}}}'),
            ]
        ),
    ),
    Kind(
        "json-long-names",
        "a variant, and an id, of 20 MB, which errors and answers repeat",
        send(
            lambda: [
                (SEGMENT, json.dumps({"image": sample(), "variant": "x" * 20_000_000})),
                (INFER, json.dumps({"id": "x" * 20_000_000, "inputs": []})),
            ]
        ),
    ),
    Kind(
        "json-escapes",
        "27 MB of `\\u0041`; 140,000 times the same name",
        send(
            lambda: [
                (SEGMENT, '{"image":"' + r"\u0041" * 4_500_000 + '"}'),
                (SEGMENT, "{" + '"image":"a",' * 140_000 + '"image":""}'),
            ]
        ),
    ),
)
