"""One list of limits: both transports show the same numbers."""

from __future__ import annotations

from hiseg.api.limits import limits_in_force
from hiseg.settings import Settings
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb


def test_every_field_of_the_proto_has_a_limit() -> None:
    of_http = {"drain_s": "drain_seconds", "message_s": "body_seconds"}
    names = {of_http.get(name, name) for name in pb.Limits.DESCRIPTOR.fields_by_name}
    assert names <= limits_in_force(Settings()).keys()


def test_settings_are_shown_as_they_are() -> None:
    limits = limits_in_force(Settings(max_boxes=7, grpc_max_streams=3))
    assert (limits["boxes"], limits["streams"]) == (7, 3)
