"""Masks in the caller's own process: the model, the batcher and the worker threads of the service, and no transport.

Importing this loads neither ONNX Runtime nor OpenCV nor pydantic, which a plain installation doesn't have: they come
with the first session.
"""

from hiseg.session.default import asegment, segment
from hiseg.session.errors import SessionError
from hiseg.session.session import Session

__all__ = ["Session", "SessionError", "asegment", "segment"]
