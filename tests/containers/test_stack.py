"""The composition as a stack: deployed, used, upgraded under load and scaled."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.containers.composition import until
from tests.containers.conftest import NEXT
from tests.containers.engine import Engine
from tests.containers.images import official_names
from tests.containers.stack import Stack, deployed
from tests.containers.traffic import under_load

pytestmark = pytest.mark.containers

REPLICAS = 2
Report = Callable[[object], None]


@pytest.fixture(scope="module")
def stack(built: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with deployed(built, tmp_path_factory.mktemp("stack"), HISEG_REPLICAS=str(REPLICAS)) as running:
        until(lambda: running.ready("service") and running.ready("loadbalancer"), "the stack doesn't start")
        until(lambda: _answers(f"{running.http}/readyz"), "the stack doesn't answer")
        yield running


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False


def test_a_large_upload_is_answered(stack: Stack, photo: bytes) -> None:
    padded = photo[:2] + (b"\xff\xfe\xff\xff" + bytes(65533)) * 40 + photo[2:]
    files = {"image": ("people.jpg", padded, "image/jpeg")}
    answer = httpx.post(f"{stack.http}/v1/segment", files=files, data={"boxes": "22,15,365,512"}, timeout=60)
    assert answer.status_code == 200, answer.text


def test_upgraded_and_scaled(stack: Stack, picture: bytes, report: Report) -> None:
    name = official_names()["service"].partition(":")[0]
    with under_load(stack, picture) as step:
        stack.engine.docker("service", "update", "--no-resolve-image", "--image", f"{name}:{NEXT}", "hiseg_service")
        stack.engine.docker("service", "scale", f"hiseg_service={REPLICAS + 1}")
        until(lambda: stack.ready("service"), "the stack has not all replicas")
        stack.engine.docker("service", "scale", f"hiseg_service={REPLICAS - 1}")
        until(lambda: stack.ready("service"), "the stack has too many replicas")
    report(step.line())
    step.check(ended={"hiseg_service 0"})
    images = stack.engine.docker("ps", "--format", "{{.Image}}").split()
    assert images.count(f"{name}:{NEXT}") == REPLICAS - 1
