"""TLS, and with a CA for clients mutual TLS, from the files that the settings name."""

from __future__ import annotations

import grpc

from hiseg.settings import Settings


def credentials(settings: Settings) -> grpc.ServerCredentials | None:
    """What a secure port needs; None: the port is to be a plain one.

    Raises:
        OSError: a file can't be read.
    """
    if settings.grpc_tls_cert is None or settings.grpc_tls_key is None:
        return None
    pair = settings.grpc_tls_key.read_bytes(), settings.grpc_tls_cert.read_bytes()
    ca = settings.grpc_tls_client_ca
    return grpc.ssl_server_credentials([pair], ca.read_bytes() if ca else None, require_client_auth=ca is not None)
