"""Masks in one line, ``hiseg.segment("photo.jpg", boxes)``, by a session that the process makes at its first use."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import Unpack

from hiseg.client import Result
from hiseg.client.images import ImageLike
from hiseg.client.request import Boxes, Options
from hiseg.session.session import Session

_making = threading.Lock()
_session: Session | None = None


def default_session() -> Session:
    """The session of this process, with the settings that were there when it was first used.

    Raises:
        SessionError: it can't be made; the next call tries again.
        ExtraMissing: packages aren't installed that it needs.
    """
    global _session
    if _session is None:
        with _making:
            if _session is None:
                _session = Session()
    return _session


def segment(image: ImageLike, boxes: Boxes | None = None, **options: Unpack[Options]) -> Result:
    """Get the masks of the people in the boxes, without a server.

    The first call loads the model, which the process then keeps.

    Args:
        image: a path, an encoded file, a Pillow image, an array uint8 ``[H, W, 3]`` in RGB, or a raw frame.
        boxes: rows of four numbers, one per person, an array or tensor ``[N, 4]``, or what a detector found. An empty
            list says that there is nobody; None has people found, and ``mode="binary"`` needs neither.
        options: as of :meth:`hiseg.Session.segment`.

    Raises:
        SessionError: there are no models, or settings are refused.
        ExtraMissing: packages aren't installed that this needs, such as ONNX Runtime; an :class:`ImportError`.
        ClientError: there is no answer; the subclass says why.
    """
    return default_session().segment(image, boxes, **options)


async def asegment(image: ImageLike, boxes: Boxes | None = None, **options: Unpack[Options]) -> Result:
    """See :func:`segment`; for any event loop."""
    session = await asyncio.to_thread(default_session)
    return await session.asegment(image, boxes, **options)


def _renew_lock() -> None:
    global _making
    _making = threading.Lock()  # another thread may have held it when this process was forked


os.register_at_fork(after_in_child=_renew_lock)
