"""Finds out which models the servers have, where no local repository says so."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from tritonclient.utils import InferenceServerException

from hiseg.core.model_choice import default_model
from hiseg.engines.base import ModelInfo, with_masks
from hiseg.engines.contract import ModelError
from hiseg.engines.triton.address import Target, resolve
from hiseg.engines.triton.connection import connect, describe_version, list_models

log = logging.getLogger(__name__)
RETRY_S = 0.25


async def discover(targets: Sequence[Target], default_variant: str) -> list[ModelInfo]:
    """Models of the first server that has the default model; wait for such a server without a limit.

    Models that don't keep the tensor contract are left out, and named in the log once.

    Args:
        targets: the servers.
        default_variant: variant, or name, of the default model.
    """
    logged: set[str] = set()
    while True:
        addresses = sorted(await resolve(targets))
        for address in addresses:
            models = await _models(address, logged)
            if default_model(with_masks(models), default_variant):
                return models
        where = ", ".join(addresses or map(str, targets))
        text = f"Waiting for a Triton with a model of variant, or called, {default_variant} at {where}"
        _log_once(text, logged)
        await asyncio.sleep(RETRY_S)


async def _models(address: str, logged: set[str]) -> list[ModelInfo]:
    client, models = connect(address), []
    try:
        for name, version in (await list_models(client)).items():
            try:
                models.append((await describe_version(client, address, name, version)).info)
            except ModelError as error:
                _log_once(f"{error}: not served", logged)
    except InferenceServerException:
        return []  # another server has it, or this one will a moment later
    finally:
        await client.close()
    return models


def _log_once(text: str, logged: set[str]) -> None:
    if text not in logged:
        logged.add(text)
        log.info(text)
