"""Certificates for ``https`` and ``grpcs``."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files.

    Attributes:
        ca: certificates of the authorities that the client trusts; None: the system's.
        certificate: the client's own certificate with its chain, for services that ask for one.
        key: private key of the client's certificate.

    Raises:
        ValueError: a certificate without its key, or a key without its certificate.
    """

    ca: str | Path | None = None
    certificate: str | Path | None = None
    key: str | Path | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("a certificate needs its key, and a key its certificate")

    def context(self) -> ssl.SSLContext:
        """Make the SSL context for HTTP."""
        context = ssl.create_default_context(cafile=self.ca)
        if self.certificate is not None:
            context.load_cert_chain(self.certificate, self.key)
        return context

    def pem(self) -> tuple[bytes | None, bytes | None, bytes | None]:
        """Read authorities, key and certificate as gRPC takes them."""
        ca, key, certificate = (
            None if path is None else Path(path).read_bytes() for path in (self.ca, self.key, self.certificate)
        )
        return ca, key, certificate
