"""Which models the servers have, when there is nothing else that says so."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from tritonclient.utils import InferenceServerException

from hiseg.engines.base import ModelInfo
from hiseg.engines.contract import ModelError
from hiseg.engines.triton.address import Target, resolve
from hiseg.engines.triton.connection import ask_description, ask_models, connect

log = logging.getLogger("uvicorn.error")
WAIT_S = 0.25


async def discover(targets: Sequence[Target], variant: str) -> list[ModelInfo]:
    """Models of the first server that has one of ``variant``; waits for such a server for as long as it takes.

    Models that don't keep the tensor contract are left out, and named in the log.
    """
    told: set[str] = set()
    while True:
        addresses = sorted(await resolve(targets))
        for address in addresses:
            models = await _models(address, told)
            if any(model.ref.variant == variant for model in models):
                return models
        text = f"Waiting for a Triton with a model of variant {variant} at {', '.join(addresses) or targets}"
        _tell(text, told)
        await asyncio.sleep(WAIT_S)


async def _models(address: str, told: set[str]) -> list[ModelInfo]:
    client, models = connect(address), []
    try:
        for name, version in (await ask_models(client)).items():
            try:
                models.append((await ask_description(client, address, name, version)).info)
            except ModelError as error:
                _tell(f"{error}: not served", told)
    except InferenceServerException:
        return []  # the next has it, or this one a moment later
    finally:
        await client.close()
    return models


def _tell(text: str, told: set[str]) -> None:
    if text not in told:
        told.add(text)
        log.info(text)
