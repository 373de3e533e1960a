"""JSON with a million errors takes no more memory than JSON with one."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from pydantic import BaseModel

from hiseg.api.options import MAX_COMMAS, read_json
from hiseg.core.errors import InvalidRequest, TooLarge
from hiseg.transports.http.body import JsonOptions
from hiseg.transports.http.kserve.tensors import InferIn
from hiseg.transports.http.label_studio.tasks import MAX_COMMAS as MAX_COMMAS_OF_TASKS
from hiseg.transports.http.label_studio.tasks import PredictIn

MEBI = 1024 * 1024
MANY = 1_000_000


def zeros(before: str, after: str) -> bytes:
    return (before + ",".join("0" * MANY) + after).encode()


@pytest.mark.parametrize(
    ("model", "text", "limit"),
    [
        (InferIn, zeros('{"inputs":[', "]}"), MAX_COMMAS),
        (JsonOptions, zeros('{"boxes":[[', "]]}"), MAX_COMMAS),
        (PredictIn, zeros('{"label_config":"","tasks":[', "]}"), MAX_COMMAS_OF_TASKS),
        (PredictIn, zeros('{"label_config":"","tasks":[{"data":{},"annotations":[', "]}]}"), MAX_COMMAS_OF_TASKS),
        (PredictIn, zeros('{"label_config":"","tasks":[{"data":{},"predictions":[', "]}]}"), MAX_COMMAS_OF_TASKS),
    ],
)
def test_a_million_wrong_values_take_little_memory(model: type[BaseModel], text: bytes, limit: int) -> None:
    tracemalloc.start()
    with pytest.raises((TooLarge, InvalidRequest)) as raised:
        read_json(model, text, limit)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 * MEBI
    if isinstance(raised.value, TooLarge):
        assert (raised.value.field, raised.value.limit) == ("body", MAX_COMMAS)


def test_all_the_boxes_that_are_read_at_all_are_not_too_many_values() -> None:
    rows = [[0.0, 0.0, 1.0, 1.0]] * 10_000
    assert len(read_json(JsonOptions, json.dumps({"boxes": rows}).encode()).boxes) == len(rows)
