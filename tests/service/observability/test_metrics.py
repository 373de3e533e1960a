"""The metrics of the servers that run a model."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from hiseg.observability.metrics import Metrics
from hiseg.observability.reports import EndpointReport, EndpointState


def report(address: str, state: EndpointState) -> EndpointReport:
    return EndpointReport(address, state, "1", batches=7, failures=2, retries=1, in_flight=3, outstanding_ms=250.0)


def test_servers_of_several_models_and_of_those_that_are_there_now() -> None:
    servers = [report("a:1", EndpointState.UP), report("b:1", EndpointState.CIRCUIT_OPEN)]
    metrics = Metrics()
    metrics.register_endpoints("one", lambda: servers)
    metrics.register_endpoints("two", lambda: servers[:1])

    def samples_of(name: str) -> dict[tuple[str, ...], float]:
        families = list(text_string_to_metric_families(metrics.exposition().decode()))
        assert len({family.name for family in families}) == len(families)
        samples = [sample for family in families for sample in family.samples if sample.name == name]
        return {tuple(value for _, value in sorted(sample.labels.items())): sample.value for sample in samples}

    assert samples_of("hiseg_triton_batches_total") == {("a:1", "one"): 7, ("b:1", "one"): 7, ("a:1", "two"): 7}
    assert samples_of("hiseg_triton_outstanding_seconds")[("b:1", "one")] == 0.25
    states = samples_of("hiseg_triton_state")
    assert len(states) == 3 * len(EndpointState)
    assert {key for key, value in states.items() if value} == {
        ("a:1", "one", "up"),
        ("b:1", "one", "circuit_open"),
        ("a:1", "two", "up"),
    }
    servers.pop()
    assert set(samples_of("hiseg_triton_batches_total")) == {("a:1", "one"), ("a:1", "two")}


def test_certificates_have_a_time_of_expiry_each() -> None:
    metrics = Metrics()
    metrics.register_certificates(lambda: {"http": 1.5e9, "grpc": 1.75e9})
    text = metrics.exposition().decode()
    assert 'hiseg_certificate_expiry_timestamp_seconds{transport="http"} 1.5e+09' in text
    assert 'hiseg_certificate_expiry_timestamp_seconds{transport="grpc"} 1.75e+09' in text
