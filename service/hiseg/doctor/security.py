"""Who may ask, who can listen, and until when do clients trust the certificates?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from ipaddress import ip_address

from hiseg.access.key_store import KeyStore, KeysUnusable
from hiseg.core.certificate import Certificate, CertificateUnusable, check_authorities
from hiseg.doctor.finding import Finding, ok, warning, wrong
from hiseg.settings import Settings


def check_keys(settings: Settings) -> Finding:
    """Say who may send requests, if the keys can be used."""
    try:
        described = KeyStore(settings.api_keys, settings.api_keys_file, settings.key_limits).describe()
    except KeysUnusable as error:
        return wrong("API keys", str(error), "Mend the line; `hiseg key NAME` makes a valid one.")
    return ok("API keys", described.removeprefix("API keys: "))


def check_exposure(settings: Settings) -> Finding:
    """Warn of a service that listens beyond this machine and lets everybody in, or whose connections can be read."""
    if is_loopback(settings.host):
        return ok("exposure", f"{settings.host} can be reached from this machine only")
    secured = {"HTTP": settings.http_tls_cert, "gRPC": settings.grpc_tls_cert}
    plain = " and ".join(transport for transport, cert in secured.items() if cert is None)
    open_to_all = not settings.api_keys and settings.api_keys_file is None
    found = [f"{settings.host} can be reached from other machines"]
    found += ["there are no API keys, so everybody who reaches it may ask"] if open_to_all else []
    found += [f"without TLS {plain} can be read and changed on the way"] if plain else []
    if len(found) == 1:
        return ok("exposure", f"{found[0]}; it needs API keys, and HTTP and gRPC have TLS")
    mend = "Set api_keys_file, and http_tls_cert and grpc_tls_cert with their keys, where the network isn't closed."
    return warning("exposure", "; ".join(found), mend)


def check_certificates(settings: Settings) -> Iterator[Finding]:
    """Check that each certificate can be used, and is valid for a while."""
    for transport, cert, key, authorities in (
        ("HTTP", settings.http_tls_cert, settings.http_tls_key, settings.http_tls_client_ca),
        ("gRPC", settings.grpc_tls_cert, settings.grpc_tls_key, settings.grpc_tls_client_ca),
    ):
        if cert is None or key is None:
            continue
        if authorities:
            try:
                check_authorities(authorities)
            except CertificateUnusable as error:
                yield wrong("certificate", f"{transport}: {error}", "Give the CA's certificate in PEM.")
        try:
            certificate = Certificate(transport, cert, key)
        except CertificateUnusable as error:
            yield wrong("certificate", f"{transport}: {error}", "Give the PEM files of a chain and of its own key.")
            continue
        now = time.time()
        mend = "Renew it; the service uses renewed files without a restart."
        if not (problem := certificate.problem(now)):
            days = (certificate.not_after - now) / (24 * 3600)
            yield ok("certificate", f"{transport}'s certificate {cert} is valid for {days:.0f} more days")
        elif certificate.not_before <= now < certificate.not_after:
            yield warning("certificate", problem, mend)
        else:
            yield wrong("certificate", problem, mend)


def is_loopback(host: str) -> bool:
    """Tell whether an address, or the name of a host, is one that only this machine reaches."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
