"""Does each Triton server answer, share our memory, and have models that keep the contract and give the right masks?

This needs the extra ``triton``, as the engine does that it checks.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from hiseg.core.result import ModelRef
from hiseg.doctor.clock import check_offset
from hiseg.doctor.embedded import check_contract, check_variants
from hiseg.doctor.finding import Finding, ok, warning, wrong
from hiseg.doctor.sharing import check_message_size, check_shared_memory
from hiseg.engines.contract import ModelError
from hiseg.engines.triton.address import DEFAULT_PORT, SCHEME, Target, parse_targets, resolve
from hiseg.engines.triton.connection import connect, describe_version, list_models, list_versions
from hiseg.engines.triton.failures import CallFailed
from hiseg.engines.triton.pool import Pool
from hiseg.engines.triton.replica import Replica, ReplicaEngine
from hiseg.models.canary import Canary, CanaryMismatch
from hiseg.models.repository import local_repository
from hiseg.models.self_test import SelfTestFailed, run_self_test
from hiseg.settings import Settings

ANSWER_S = 5.0
"""Seconds that a server has for an answer, in the middle of a batch perhaps."""
REPUBLISH = "Unload it (`POST /v2/repository/models/NAME/unload`) or publish it with `hiseg-train publish`."


@dataclass(frozen=True, slots=True)
class Served:
    """A usable version of a model on a server."""

    model: str
    version: int
    variant: str
    has_masks: bool


async def check_servers(settings: Settings) -> AsyncIterator[Finding]:
    """Check every server that the setting ``engine`` names, each for itself and then all together."""
    found: dict[str, list[Served]] = {}
    for target in parse_targets(settings.engine):
        addresses = await resolve([target])
        if not addresses:
            yield wrong(
                "reachable",
                f"{target.host} is no name that can be looked up",
                "Correct engine, or the name server's entry; in a compose file it is the service's name.",
            )
        for address in sorted(addresses):
            found[address] = []
            async for finding in _check_server(address, target, settings, found[address]):
                yield finding
    for finding in _compare(found, settings):
        yield finding


async def _check_server(
    address: str, target: Target, settings: Settings, served: list[Served]
) -> AsyncIterator[Finding]:
    """Check one server; its usable models are appended to ``served``."""
    client = connect(address)
    try:
        try:
            about = await client.get_server_metadata(client_timeout=ANSWER_S)
        except InferenceServerException as error:
            yield _unreachable(address, target, error)
            return
        yield ok("reachable", f"{address} is {about.name} {about.version}")
        try:
            for finding in await _check_loading(client, address):
                yield finding
            yield await check_shared_memory(client, address, settings)
            models = await list_models(client, ANSWER_S)
            if not models:
                yield wrong(
                    "models",
                    f"{address} has no model that is ready",
                    "Start it with --model-repository on hiseg's repository; its log says why a model doesn't load.",
                )
            for model in models:
                async for finding in _check_model(client, address, model, settings, served):
                    yield finding
            if models:
                yield await check_message_size(client, address, next(iter(models)), settings)
        except InferenceServerException as error:
            yield wrong("reachable", f"{address} stopped answering: {error}", "Look into its log, then ask again.")
    finally:
        await client.close()


def _unreachable(address: str, target: Target, error: InferenceServerException) -> Finding:
    """Say why a server doesn't answer, as far as that can be told from outside."""
    text = " ".join(str(error).split())[:200]
    if "Connection refused" in text:
        return wrong(
            "reachable",
            f"nothing listens at {address}",
            "Start Triton, or correct engine; in containers publish the port, and 127.0.0.1 is the container itself.",
        )
    if "timed out" in text or error.status() == "StatusCode.DEADLINE_EXCEEDED":
        return wrong(
            "reachable",
            f"{address} doesn't answer within {ANSWER_S:g} s ({text})",
            "See whether Triton hangs (its log), or a firewall drops packets.",
        )
    return wrong(
        "reachable",
        f"{address} doesn't speak Triton's gRPC ({text})",
        f"Give the gRPC port, {SCHEME}{target.host}:{DEFAULT_PORT} by default; 8000 is HTTP and 8002 metrics.",
    )


async def _check_loading(client: InferenceServerClient, address: str) -> list[Finding]:
    """List the models of the server's repository that it tried to load in vain."""
    index = await client.get_model_repository_index(client_timeout=ANSWER_S)
    return [
        wrong(
            "models",
            f"{address} can't load {entry.name} {entry.version}: {' '.join(entry.reason.split())[:300]}",
            "Without a GPU start it with --model-config-name=cpu; else mend the model or its config.pbtxt.",
        )
        for entry in index.models
        if entry.state == "UNAVAILABLE" and entry.reason not in ("", "unloaded")
    ]


async def _check_model(
    client: InferenceServerClient, address: str, model: str, settings: Settings, served: list[Served]
) -> AsyncIterator[Finding]:
    """Check the newest version of a model on a server: contract, configuration, masks, and the server's clock."""
    version = (await list_versions(client, model, ANSWER_S))[0]
    try:
        described = await describe_version(client, address, model, version, ANSWER_S)
    except ModelError as error:
        yield warning("contract", f"{error}; it isn't served", REPUBLISH)
        return
    served.append(Served(model, version, described.info.ref.variant, described.info.has_masks))
    yield check_contract(described.info)
    config = (await client.get_model_config(model, str(version), client_timeout=ANSWER_S)).config
    for finding in _check_configuration(address, model, config):
        yield finding
    where = "a GPU" if described.on_gpu else "the CPU"
    yield ok("provider", f"{address} runs {model} on {where}, {described.instances} at once")
    pool = Pool(client, address, 1)
    repository = local_repository(settings.model_repository)
    before = time.time()
    try:
        await pool.open()
        await run_self_test(ReplicaEngine(Replica(client, described, pool)), repository)
    except (CanaryMismatch, SelfTestFailed) as error:
        yield wrong("masks", f"{address}: {error}", "Its file isn't the one that was published: copy it there again.")
        return
    except CallFailed as error:
        yield wrong("masks", f"{address} can't run {model}: {error}", "Look into its log; reload the model.")
        return
    finally:
        await pool.clean_up(everything=True)
    after = time.time()
    canary = Canary.load(repository / model / str(version)) if repository else None
    name = f"{address}: {model} version {version}"
    if canary is None:
        where = f"in {repository}" if repository else "here"
        yield warning(
            "masks",
            f"{name} answers, but its canary image isn't {where}: it was tried with noise",
            "Let model_repository be the servers' repository, or a copy of it.",
        )
    else:
        yield ok("masks", f"{name} gives the masks that it was published with")
    statistics = await client.get_inference_statistics(model, str(version), client_timeout=ANSWER_S)
    yield check_offset(address, before, statistics.model_stats[0].last_inference / 1000, after)


def _check_configuration(address: str, model: str, config: Any) -> Iterator[Finding]:
    """Check that a ``config.pbtxt`` fits batches which the service makes itself."""
    where = f"{address}: {model}"
    if config.max_batch_size > 0 or config.HasField("dynamic_batching"):
        yield wrong(
            "configuration",
            f"{where} has Triton's own batching on (max_batch_size {config.max_batch_size}), which can't lay rows of "
            "RoIs together",
            "Set max_batch_size: 0 and leave dynamic_batching out.",
        )
    if not config.model_warmup:
        yield warning(
            "configuration",
            f"{where} has no model_warmup: the first images on each canvas are slow",
            "Publish it again with `hiseg-train publish`, which writes one sample for each canvas.",
        )
    if config.version_policy.WhichOneof("policy_choice") == "latest" and config.version_policy.latest.num_versions < 2:
        yield warning(
            "configuration",
            f"{where} keeps one version: a new one takes the old one's place before it was tried",
            "Set version_policy { latest { num_versions: 2 } }.",
        )


def _compare(found: dict[str, list[Served]], settings: Settings) -> Iterator[Finding]:
    """Compare the servers: do they have the default model, one model of a variant, and the same versions of each?"""
    if not any(found.values()):
        return  # why, was said of each
    each_found = [each for models in found.values() for each in models]
    refs = {ModelRef(each.model, "", each.variant) for each in each_found if each.has_masks}
    yield from check_variants(list(refs), settings.default_variant)
    for model in sorted({served.model for models in found.values() for served in models}):
        versions = {a: served.version for a, models in found.items() for served in models if served.model == model}
        lacking = [address for address, models in found.items() if address not in versions]
        if len(set(versions.values())) > 1:
            listed = ", ".join(f"{version} on {address}" for address, version in versions.items())
            yield warning(
                "versions",
                f"{model} differs: {listed}",
                "During a roll-out that passes; otherwise give every server the same repository.",
            )
        elif lacking:
            yield warning(
                "versions",
                f"{model} isn't on {', '.join(lacking)}: the others do all of its work",
                "Give every server the same repository.",
            )
        else:
            yield ok("versions", f"{model}: {next(iter(versions.values()))} on every server")
