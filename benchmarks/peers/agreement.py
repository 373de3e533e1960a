"""Checks that two servers give the same masks, without which comparing their speeds means nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx
from pycocotools import mask as coco_mask

from benchmarks.peers.server import HEADERS, query
from hiseg.bench.sender import Request


def least_iou(first: str, second: str, sent: Sequence[Request]) -> float:
    """The smallest intersection over union of any person's two masks; two empty ones are the same.

    Raises:
        httpx.HTTPError: one of them doesn't answer.
        ValueError: they don't give as many masks.
    """
    found = []
    with httpx.Client(timeout=60) as client:
        for request in sent:
            pairs = zip(_masks(client, first, request), _masks(client, second, request), strict=True)
            found += [iou(ours, theirs) for ours, theirs in pairs]
    return min(found)


def iou(first: dict[str, Any], second: dict[str, Any]) -> float:
    """Of two COCO run-length encodings."""
    if first["counts"] == second["counts"] and first["size"] == second["size"]:
        return 1.0
    rles = [{"size": mask["size"], "counts": mask["counts"].encode()} for mask in (first, second)]
    return float(coco_mask.iou(rles[:1], rles[1:], [0])[0, 0])


def _masks(client: httpx.Client, url: str, request: Request) -> list[dict[str, Any]]:
    answer = client.post(f"{url}/v1/segment", params=query(request), content=request.image, headers=HEADERS)
    return [instance["mask"] for instance in answer.raise_for_status().json()["instances"]]
