"""Encryption between services, and to Kafka. Who calls is told by tokens, not by certificates.

One authority signs the certificates of an installation. Files may be renewed while a service runs: its server reads them
again; the authority's own is read at the start.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc
from junctor_journal.brokers import Brokers

from junctor_service.settings import CommonSettings, SettingsError


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files: the service's own certificate chain and key, and the authority by which others are known."""

    certificate: Path
    key: Path
    authority: Path

    def server(self) -> grpc.ServerCredentials:
        """For a server; a renewed certificate is used from the next connection on."""
        first = self._pair()
        seen = {"at": self._changed()}

        def renewed() -> grpc.ServerCertificateConfiguration | None:
            try:
                at = self._changed()
                if at == seen["at"]:
                    return None
                pair = self._pair()
            except OSError:
                return None  # between the old files and the new ones
            seen["at"] = at
            return grpc.ssl_server_certificate_configuration([pair])

        return grpc.dynamic_ssl_server_credentials(grpc.ssl_server_certificate_configuration([first]), renewed)  # type: ignore[arg-type]  # None: not changed

    def client(self) -> grpc.ChannelCredentials:
        """For channels to the installation's servers."""
        return grpc.ssl_channel_credentials(root_certificates=self.authority.read_bytes())

    def _pair(self) -> tuple[bytes, bytes]:
        return self.key.read_bytes(), self.certificate.read_bytes()

    def _changed(self) -> tuple[int, int]:
        return self.certificate.stat().st_mtime_ns, self.key.stat().st_mtime_ns


def tls_from(settings: CommonSettings) -> Tls | None:
    """What the settings describe; None where nothing is encrypted. Raises `SettingsError`."""
    given = {
        "JUNCTOR_GRPC_TLS_CERTIFICATE": settings.grpc_tls_certificate,
        "JUNCTOR_GRPC_TLS_KEY": settings.grpc_tls_key,
        "JUNCTOR_GRPC_TLS_AUTHORITY": settings.grpc_tls_authority,
    }
    if not any(given.values()):
        return None
    problems = [f"{name} is not set; TLS needs all of {', '.join(given)}." for name, path in given.items() if not path]
    problems += [unreadable for name, path in given.items() if path and (unreadable := _unreadable(name, path))]
    if problems:
        raise SettingsError(problems)
    certificate, key, authority = given.values()
    assert certificate and key and authority
    try:
        ssl.create_default_context(cafile=authority)
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        files = f"{certificate}, {key} and {authority}"
        raise SettingsError([f"{files} are not a PEM chain, its key and an authority ({error})."]) from error
    return Tls(certificate, key, authority)


def brokers_from(settings: CommonSettings) -> Brokers:
    """Kafka as the settings describe it. Raises `SettingsError`."""
    problems = [
        unreadable
        for name, path in (
            ("JUNCTOR_KAFKA_AUTHORITY", settings.kafka_authority),
            ("JUNCTOR_KAFKA_CERTIFICATE", settings.kafka_certificate),
            ("JUNCTOR_KAFKA_KEY", settings.kafka_key),
        )
        if path and (unreadable := _unreadable(name, path))
    ]
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


def _kafka_context(settings: CommonSettings) -> ssl.SSLContext | None:
    if not settings.kafka_tls:
        return None
    try:
        context = ssl.create_default_context(cafile=settings.kafka_authority)
        if settings.kafka_certificate:
            context.load_cert_chain(settings.kafka_certificate, settings.kafka_key)
    except ssl.SSLError as error:
        raise SettingsError([f"Kafka's certificates cannot be used ({error}); expected PEM files."]) from error
    return context


def _unreadable(name: str, path: Path) -> str:
    try:
        path.read_bytes()
    except OSError as error:
        return f"{name}={str(path)!r} cannot be read ({error.strerror}); expected a PEM file."
    return ""
