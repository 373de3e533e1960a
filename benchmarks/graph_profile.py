"""Says where the time of a model's graph goes: ``python -m benchmarks.graph_profile [MODEL] [--people 1,4,16]``.

ONNX Runtime's own profile on one image of 640 x 640: the median of each node, summed by operator, and the slowest ones.
Names are those of the graph as ONNX Runtime runs it, after its own optimisation; ``Reorder`` nodes and ``Upsample`` are
its own. Of one thread, since nodes that wait for others' threads say nothing; on a busy machine compare shares, not
times.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import onnxruntime as ort

from benchmarks.harness.repository import B0
from hiseg.models.random_inputs import random_rois

ENDING = "_kernel_time"
"""Of the events that are a node's."""


def node_times(path: Path, people: int, runs: int = 12, threads: int = 1) -> dict[tuple[str, str], float]:
    """Median milliseconds of each node, by operator and name; the first two runs allocate memory and are left out."""
    rng = np.random.default_rng(0)
    given = {"images": rng.integers(0, 256, (1, 3, 640, 640), dtype=np.uint8), "rois": random_rois(rng, people)}
    with tempfile.TemporaryDirectory() as folder:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        names = {tensor.name for tensor in session.get_inputs()}
        for _ in range(runs):
            session.run(None, {name: value for name, value in given.items() if name in names})
        events = json.loads(Path(session.end_profiling()).read_text())
    spent: dict[tuple[str, str], list[float]] = defaultdict(list)
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith(ENDING):
            spent[event["args"]["op_name"], event["name"].removesuffix(ENDING)].append(event["dur"] / 1000)
    return {node: statistics.median(times[2:]) for node, times in spent.items()}


def report(path: Path, people: int, nodes: int) -> str:
    """A table of the operators, and the slowest nodes, as text."""
    times = node_times(path, people)
    counts = Counter(operator for operator, _ in times)
    totals: dict[str, float] = defaultdict(float)
    for (operator, _), ms in times.items():
        totals[operator] += ms
    whole = sum(totals.values())
    lines = [f"{path}, people: {people}, all nodes: {whole:.2f} ms"]
    for operator, ms in sorted(totals.items(), key=lambda total: -total[1]):
        lines.append(f"  {operator:20} {counts[operator]:3} nodes {ms:8.3f} ms {ms / whole:6.1%}")
    slowest = sorted(times.items(), key=lambda node: -node[1])[:nodes]
    return "\n".join([*lines, *(f"  {ms:8.3f} ms  {operator} {name}" for (operator, name), ms in slowest)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", type=Path, default=B0)
    parser.add_argument("--people", default="1,4,16")
    parser.add_argument("--nodes", type=int, default=10, help="so many of the slowest")
    arguments = parser.parse_args()
    for people in arguments.people.split(","):
        print(report(arguments.model, int(people), arguments.nodes), flush=True)


if __name__ == "__main__":
    main()
