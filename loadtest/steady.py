"""The load test with pass marks: ``python -m locust -f loadtest/steady.py --headless --host … --grpc …``.

The exit code is 1 if too many requests failed, if answers were too late, or if the requested rate was not reached.
"""

from __future__ import annotations

from typing import Any

from locust import events
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.runners import WorkerRunner

from loadtest.marks import Marks, Seen
from loadtest.users import Camera, Unary, Web, asked_per_s

__all__ = ["Camera", "Unary", "Web"]
MARKS = Marks()


@events.init_command_line_parser.add_listener
def add_arguments(parser: LocustArgumentParser) -> None:
    """The marks."""
    parser.add_argument("--max-failures", type=float, default=MARKS.failures, help="share of requests that may fail")
    parser.add_argument("--max-p95", type=float, default=MARKS.p95_ms, help="milliseconds")
    parser.add_argument("--min-throughput", type=float, default=MARKS.throughput, help="share of what was asked for")


@events.quitting.add_listener
def judge(environment: Environment, **_: Any) -> None:
    """Hold what came against the marks, and say it: in words, and as the exit code."""
    if environment.runner is None or isinstance(environment.runner, WorkerRunner):
        return
    given, total = environment.parsed_options, environment.stats.total
    if given is None or not total.num_requests:
        print("missed: no request was answered")
        environment.process_exit_code = 1
        return
    seconds = max(1e-9, (total.last_request_timestamp or total.start_time) - total.start_time)
    good = (total.num_requests - total.num_failures) / seconds
    asked = asked_per_s(environment.runner.final_user_classes_count)
    seen = Seen(asked, good, total.fail_ratio, total.get_response_time_percentile(0.95))
    missed = Marks(given.max_failures, given.max_p95, given.min_throughput).misses(seen)
    print(f"{seen}\n" + ("\n".join(f"missed: {miss}" for miss in missed) or "all marks passed"))
    environment.process_exit_code = 1 if missed else 0
