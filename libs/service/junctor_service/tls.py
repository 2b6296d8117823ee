"""Encryption between services, and to Kafka. Who calls is told by tokens, not by certificates.

One authority signs the certificates of an installation. Files may be renewed while a service runs: its server reads them
again; the authority's own is read at the start.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc
from junctor_journal.brokers import Brokers

from junctor_service.settings import CommonSettings, ConnectionSettings, SettingsError


@dataclass(frozen=True, slots=True)
class _Pair:
    """PEM files: a certificate chain and its key."""

    certificate: Path
    key: Path

    def read(self) -> tuple[bytes, bytes]:
        return self.key.read_bytes(), self.certificate.read_bytes()

    def changed(self) -> tuple[int, int]:
        return self.certificate.stat().st_mtime_ns, self.key.stat().st_mtime_ns


def server_credentials(settings: CommonSettings) -> grpc.ServerCredentials | None:
    """For a service's server; None where it is not encrypted. A renewed certificate is used from the next connection on.

    Raises `SettingsError` for files that are missing, or that do not belong together.
    """
    given = {
        "JUNCTOR_GRPC_TLS_CERTIFICATE": settings.grpc_tls_certificate,
        "JUNCTOR_GRPC_TLS_KEY": settings.grpc_tls_key,
        "JUNCTOR_GRPC_TLS_AUTHORITY": settings.grpc_tls_authority,
    }
    if not any(given.values()):
        return None
    problems = [f"{name} is not set; TLS needs all of {', '.join(given)}." for name, path in given.items() if not path]
    problems += _all_unreadable(given)
    if problems:
        raise SettingsError(problems)
    assert settings.grpc_tls_certificate and settings.grpc_tls_key
    pair = _Pair(settings.grpc_tls_certificate, settings.grpc_tls_key)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(pair.certificate, pair.key)
    except ssl.SSLError as error:
        raise SettingsError(
            [f"{pair.certificate} and {pair.key} are not a PEM chain and its key ({error})."]
        ) from error
    return _renewing(pair)


def channel_credentials(settings: ConnectionSettings) -> grpc.ChannelCredentials | None:
    """For channels to services; None where they are not encrypted. Raises `SettingsError`."""
    authority = settings.grpc_tls_authority
    if authority is None:
        return None
    if problems := _all_unreadable({"JUNCTOR_GRPC_TLS_AUTHORITY": authority}):
        raise SettingsError(problems)
    try:
        ssl.create_default_context(cafile=authority)
    except ssl.SSLError as error:
        raise SettingsError([f"{authority} is no PEM file of certificates ({error})."]) from error
    return grpc.ssl_channel_credentials(root_certificates=authority.read_bytes())


def _renewing(pair: _Pair) -> grpc.ServerCredentials:
    seen = {"at": pair.changed()}

    def renewed() -> grpc.ServerCertificateConfiguration | None:
        try:
            at = pair.changed()
            if at == seen["at"]:
                return None
            files = pair.read()
        except OSError:
            return None  # between the old files and the new ones
        seen["at"] = at
        return grpc.ssl_server_certificate_configuration([files])

    first = grpc.ssl_server_certificate_configuration([pair.read()])
    return grpc.dynamic_ssl_server_credentials(first, renewed)  # type: ignore[arg-type]  # None: not changed


def brokers_from(settings: ConnectionSettings) -> Brokers:
    """Kafka as the settings describe it. Raises `SettingsError`."""
    problems = _all_unreadable(
        {
            "JUNCTOR_KAFKA_AUTHORITY": settings.kafka_authority,
            "JUNCTOR_KAFKA_CERTIFICATE": settings.kafka_certificate,
            "JUNCTOR_KAFKA_KEY": settings.kafka_key,
        }
    )
    if bool(settings.kafka_certificate) != bool(settings.kafka_key):
        problems.append("JUNCTOR_KAFKA_CERTIFICATE and JUNCTOR_KAFKA_KEY belong together; only one is set.")
    if bool(settings.kafka_user) != bool(settings.kafka_password):
        problems.append("JUNCTOR_KAFKA_USER and JUNCTOR_KAFKA_PASSWORD belong together; only one is set.")
    if settings.kafka_certificate and not settings.kafka_tls:
        problems.append("JUNCTOR_KAFKA_CERTIFICATE is set, but JUNCTOR_KAFKA_TLS is not true.")
    if problems:
        raise SettingsError(problems)
    password = settings.kafka_password.reveal() if settings.kafka_password else ""
    addresses = ",".join(str(broker) for broker in settings.kafka_bootstrap)
    return Brokers(
        addresses, _kafka_context(settings), settings.kafka_user or "", password, settings.kafka_mechanism.value.upper()
    )


def _kafka_context(settings: ConnectionSettings) -> ssl.SSLContext | None:
    if not settings.kafka_tls:
        return None
    try:
        context = ssl.create_default_context(cafile=settings.kafka_authority)
        if settings.kafka_certificate:
            context.load_cert_chain(settings.kafka_certificate, settings.kafka_key)
    except ssl.SSLError as error:
        raise SettingsError([f"Kafka's certificates cannot be used ({error}); expected PEM files."]) from error
    return context


def _all_unreadable(files: Mapping[str, Path | None]) -> list[str]:
    found = []
    for name, path in files.items():
        try:
            if path:
                path.read_bytes()
        except OSError as error:
            found.append(f"{name}={str(path)!r} cannot be read ({error.strerror}); expected a PEM file.")
    return found
