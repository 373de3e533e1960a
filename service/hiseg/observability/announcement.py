"""What the service says once it is ready: where people and programs find it, and which models it has."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hiseg.core.listening import bracketed
from hiseg.core.result import ModelRef
from hiseg.core.version import hiseg_version
from hiseg.observability.logs import LogFormat

log = logging.getLogger(__name__)
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Addresses that stand for all of a machine's, which nobody can open, and those of the machine itself."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """Everything that is said.

    Attributes:
        host: address, or name, that the service listens on.
        port: of HTTP, a real one.
        grpc_port: of gRPC, a real one.
        http_tls: whether HTTP is served with TLS.
        grpc_tls: whether gRPC is.
        models: the models that are served.
        default: the one that answers who names none.
        source: where they were loaded from: a folder, or Triton's address.
    """

    host: str
    port: int
    grpc_port: int
    http_tls: bool
    grpc_tls: bool
    models: Sequence[ModelRef]
    default: ModelRef
    source: str

    @property
    def playground(self) -> str:
        """URL of the playground, to be opened on this machine."""
        return f"http{'s' if self.http_tls else ''}://{self._address}:{self.port}"

    @property
    def docs(self) -> str:
        """URL of the documentation of HTTP."""
        return f"{self.playground}/docs"

    @property
    def grpc(self) -> str:
        """Address of gRPC as the client takes it."""
        return f"grpc{'s' if self.grpc_tls else ''}://{self._address}:{self.grpc_port}"

    @property
    def _address(self) -> str:
        return bracketed(ANYWHERE.get(self.host, self.host))

    def lines(self) -> Iterator[str]:
        """Yield what people read, a line each; the last one says that requests are taken."""
        yield f"Models of {self.source}:"
        for model in self.models:
            default = ", the default" if model == self.default else ""
            precision = f", {model.precision}" if model.precision else ""
            yield f"            {model.name}, version {model.version}, variant {model.variant}{precision}{default}"
        yield f"gRPC        {self.grpc}"
        yield f"API docs    {self.docs}"
        yield f"Playground  {self.playground}"
        yield f"Ready: hiseg {hiseg_version()}" + (", on all addresses" if self.host in ANYWHERE else "")

    def fields(self) -> dict[str, object]:
        """The same for programs."""
        return {
            "version": hiseg_version(),
            "host": self.host,
            "playground": self.playground,
            "docs": self.docs,
            "grpc": self.grpc,
            "models": [
                {
                    "name": each.name,
                    "version": each.version,
                    "variant": each.variant,
                    "precision": each.precision,
                    "default": each == self.default,
                }
                for each in self.models
            ],
            "models_from": self.source,
        }

    def write(self, log_format: LogFormat) -> None:
        """Write it to the log: as text in lines of their own, as JSON in one line."""
        if log_format is LogFormat.JSON:
            log.info("Ready", extra={"fields": self.fields()})
            return
        for line in self.lines():
            log.info("%s", line)
